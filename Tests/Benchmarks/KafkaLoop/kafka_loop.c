#include "kafka_loop.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    long delivered;
    long failed;
    rd_kafka_resp_err_t last_error;
} reports;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// A configuration of the lines, or NULL with the reason.
static rd_kafka_conf_t *make_configuration(const char *settings, char *error, size_t error_size) {
    char *lines = strdup(settings);
    rd_kafka_conf_t *configuration = rd_kafka_conf_new();
    // Both kinds of clients get one set of settings, and each would complain of the other's.
    rd_kafka_conf_set_log_cb(configuration, NULL);
    char *rest = NULL;
    for (char *line = lines ? strtok_r(lines, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
        char *equals = strchr(line, '=');
        if (equals) *equals = '\0';
        if (!equals || rd_kafka_conf_set(configuration, line, equals + 1, error, error_size) != RD_KAFKA_CONF_OK) {
            if (!equals) snprintf(error, error_size, "the setting '%s' has no value", line);
            rd_kafka_conf_destroy(configuration);
            free(lines);
            return NULL;
        }
    }
    free(lines);
    return configuration;
}

// A client of the configuration, which it takes over, or NULL with the reason.
static rd_kafka_t *make_client(
    rd_kafka_type_t type, rd_kafka_conf_t *configuration, char *error, size_t error_size) {
    rd_kafka_t *client = rd_kafka_new(type, configuration, error, error_size);
    // Only a client that was made owns it.
    if (!client) rd_kafka_conf_destroy(configuration);
    return client;
}

static void note_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client;
    reports *all = opaque;
    if (message->err) {
        all->failed++;
        all->last_error = message->err;
    } else {
        all->delivered++;
    }
}

// Hands one message over, waiting while the queue is full.
static int produce_one(rd_kafka_t *client, rd_kafka_topic_t *topic, long number, const void *value, size_t length) {
    char key[32];
    int key_length = snprintf(key, sizeof key, "%ld", number);
    while (rd_kafka_produce(
               topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)value, length, key, (size_t)key_length, NULL)
           == -1) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) return -1;
        rd_kafka_poll(client, 10);
    }
    rd_kafka_poll(client, 0);
    return 0;
}

int kafka_loop_produce(
    const char *settings, const char *topic_name, long messages, const void *value, size_t length,
    kafka_loop_result *result, char *error, size_t error_size) {
    reports all = {0, 0, RD_KAFKA_RESP_ERR_NO_ERROR};
    rd_kafka_conf_t *configuration = make_configuration(settings, error, error_size);
    if (!configuration) return -1;
    rd_kafka_conf_set_opaque(configuration, &all);
    rd_kafka_conf_set_dr_msg_cb(configuration, note_report);
    rd_kafka_t *client = make_client(RD_KAFKA_PRODUCER, configuration, error, error_size);
    if (!client) return -1;
    int status = -1;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, topic_name, NULL);
    if (!topic) {
        snprintf(error, error_size, "topic '%s': %s", topic_name, rd_kafka_err2str(rd_kafka_last_error()));
    } else if (produce_one(client, topic, -1, value, length) != 0
               || rd_kafka_flush(client, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR || all.failed > 0) {
        snprintf(error, error_size, "the first message was not acknowledged: %s", rd_kafka_err2str(all.last_error));
    } else {
        status = 0;
        double start = now();
        for (long number = 0; number < messages && status == 0; number++) {
            status = produce_one(client, topic, number, value, length);
        }
        if (status != 0) {
            snprintf(error, error_size, "producing: %s", rd_kafka_err2str(rd_kafka_last_error()));
        } else if (rd_kafka_flush(client, 300000) != RD_KAFKA_RESP_ERR_NO_ERROR || all.failed > 0) {
            snprintf(
                error, error_size, "%ld of %ld messages were not acknowledged: %s", messages + 1 - all.delivered,
                messages + 1, rd_kafka_err2str(all.last_error));
            status = -1;
        } else {
            result->seconds = now() - start;
            result->messages = messages;
            result->bytes = messages * (long)length;
        }
    }
    if (topic) rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    return status;
}

int kafka_loop_consume(
    const char *settings, const char *topic_name, long messages, double patience,
    kafka_loop_result *result, char *error, size_t error_size) {
    rd_kafka_conf_t *configuration = make_configuration(settings, error, error_size);
    if (!configuration) return -1;
    rd_kafka_t *client = make_client(RD_KAFKA_CONSUMER, configuration, error, error_size);
    if (!client) return -1;
    rd_kafka_poll_set_consumer(client);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic_name, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t refusal = rd_kafka_subscribe(client, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    int status = refusal ? -1 : 0;
    if (refusal) snprintf(error, error_size, "subscribing to '%s': %s", topic_name, rd_kafka_err2str(refusal));

    long received = 0;
    long bytes = 0;
    double start = 0;
    double last = now();
    while (status == 0 && received < messages) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 1000);
        if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (received == 0) {
                start = now();
            } else {
                bytes += (long)message->len;
            }
            received++;
            // The clock is looked at now and then: it is there to notice that nothing comes.
            if (received % 1000 == 1) last = now();
        } else if (now() - last > patience) {
            snprintf(
                error, error_size, "only %ld of %ld messages came: %s", received, messages,
                message ? rd_kafka_message_errstr(message) : "no more within the time");
            status = -1;
        }
        if (message) rd_kafka_message_destroy(message);
    }
    if (status == 0) {
        result->seconds = now() - start;
        result->messages = received - 1;
        result->bytes = bytes;
    }
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return status;
}
