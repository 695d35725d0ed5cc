// The plain loops over librdkafka that KafkaClient is measured against.
#pragma once
#include <stddef.h>

// What a loop took.
typedef struct {
    double seconds;
    long messages;
    long bytes;
} kafka_loop_result;

// Produces `messages` values of `length` bytes under numbered keys and waits until all of them are acknowledged. The
// clock starts once a first message is acknowledged, so that the connection is there.
//
// `settings` are librdkafka's, one `name=value` a line. Returns 0, or -1 with a sentence in `error`.
int kafka_loop_produce(
    const char *settings, const char *topic, long messages, const void *value, size_t length,
    kafka_loop_result *result, char *error, size_t error_size);

// Reads `messages` messages of a topic as the only member of a group; the clock starts with the first of them, which is
// not counted. Returns -1 too where none comes for `patience` seconds.
int kafka_loop_consume(
    const char *settings, const char *topic, long messages, double patience,
    kafka_loop_result *result, char *error, size_t error_size);
