#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

// Variadic C functions cannot be called from Swift: each one that is needed has a wrapper here.

/// Enqueues a copy of one message. A `partition` of -1 lets the partitioner choose, a `timestamp_ms` of 0 means now,
/// a NULL `key` or `value` is a null on the wire (a NULL value is a tombstone). The client owns `headers` only when
/// the call succeeds.
static inline rd_kafka_resp_err_t errata_kafka_produce(
    rd_kafka_t *client, rd_kafka_topic_t *topic, int32_t partition, int64_t timestamp_ms,
    const void *key, size_t key_length, const void *value, size_t value_length,
    rd_kafka_headers_t *headers, void *opaque) {
    if (headers) {
        return rd_kafka_producev(
            client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_KEY(key, key_length),
            RD_KAFKA_V_VALUE((void *)value, value_length), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque),
            RD_KAFKA_V_END);
    }
    return rd_kafka_producev(
        client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_KEY(key, key_length),
        RD_KAFKA_V_VALUE((void *)value, value_length), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
}
