/* The broker that compose.yaml's is replaced with where no registry can be reached: librdkafka's own, which the tests and
 * `errata up` use too. It keeps its messages in memory, and would listen on a port of the system's choice; here it is PORT
 * (0 leaves the choice), so that clients find it again when it was killed.
 *
 *     broker PORT TOPIC:PARTITIONS...
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

static int port;

/* Stands before the system's for the library, too: it has no setting for the port. */
int bind(int descriptor, const struct sockaddr *address, socklen_t length) {
    struct sockaddr_in own;
    int one = 1;
    if (address->sa_family == AF_INET && length == sizeof own) {
        memcpy(&own, address, sizeof own);
        if (own.sin_port == 0) {
            own.sin_port = htons((unsigned short)port);
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        }
        return (int)syscall(SYS_bind, descriptor, &own, sizeof own);
    }
    return (int)syscall(SYS_bind, descriptor, address, length);
}

int main(int count, char **arguments) {
    char error[512];
    if (count < 3) {
        fprintf(stderr, "usage: broker PORT TOPIC:PARTITIONS...\n");
        return 64;
    }
    port = atoi(arguments[1]);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error, sizeof error);
    rd_kafka_mock_cluster_t *cluster = client ? rd_kafka_mock_cluster_new(client, 1) : NULL;
    if (!cluster) {
        fprintf(stderr, "broker: cannot start: %s\n", client ? "the port is taken" : error);
        return 70;
    }
    for (int index = 2; index < count; index++) {
        char *colon = strrchr(arguments[index], ':');
        if (!colon) {
            fprintf(stderr, "broker: %s is not of the form TOPIC:PARTITIONS\n", arguments[index]);
            return 64;
        }
        *colon = 0;
        rd_kafka_resp_err_t failed = rd_kafka_mock_topic_create(cluster, arguments[index], atoi(colon + 1), 1);
        if (failed) {
            fprintf(stderr, "broker: topic %s: %s\n", arguments[index], rd_kafka_err2str(failed));
            return 70;
        }
    }
    printf("broker: %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    for (;;) pause();
}
