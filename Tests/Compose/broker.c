/* The broker that compose.yaml's is replaced with where no registry can be reached: librdkafka's own, which the tests and
 * `errata up` use too. It keeps its messages in memory and listens on a port of its own choice, on loopback; so this
 * program also passes on what comes to a fixed port, where clients begin.
 *
 *     broker PORT TOPIC:PARTITIONS...
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

static int cluster_port;

struct direction {
    int from, to;
};

static int loopback_socket(int port, int listens) {
    int one = 1, descriptor = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (descriptor < 0) return -1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listens ? bind(descriptor, (struct sockaddr *)&address, sizeof address) || listen(descriptor, 128)
                : connect(descriptor, (struct sockaddr *)&address, sizeof address)) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* Passes bytes on until one side ends, then ends both: two of these make a connection. */
static void *pass_on(void *argument) {
    struct direction way = *(struct direction *)argument;
    char buffer[65536];
    ssize_t count;
    free(argument);
    while ((count = read(way.from, buffer, sizeof buffer)) > 0) {
        for (ssize_t sent = 0, now; sent < count; sent += now) {
            now = write(way.to, buffer + sent, (size_t)(count - sent));
            if (now <= 0) goto end;
        }
    }
end:
    shutdown(way.from, SHUT_RDWR);
    shutdown(way.to, SHUT_RDWR);
    close(way.from);
    close(way.to);
    return NULL;
}

static void pass(int from, int to) {
    pthread_t thread;
    struct direction *way = malloc(sizeof *way);
    if (!way) abort();
    *way = (struct direction){from, to};
    if (pthread_create(&thread, NULL, pass_on, way)) abort();
    pthread_detach(thread);
}

int main(int count, char **arguments) {
    char error[512];
    if (count < 3) {
        fprintf(stderr, "usage: broker PORT TOPIC:PARTITIONS...\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error, sizeof error);
    rd_kafka_mock_cluster_t *cluster = client ? rd_kafka_mock_cluster_new(client, 1) : NULL;
    if (!cluster) {
        fprintf(stderr, "broker: cannot start: %s\n", client ? "no loopback" : error);
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
    const char *address = rd_kafka_mock_cluster_bootstraps(cluster);
    cluster_port = atoi(strrchr(address, ':') + 1);
    int listener = loopback_socket(atoi(arguments[1]), 1);
    if (listener < 0) {
        perror("broker: the port");
        return 70;
    }
    printf("broker: %s, also at port %s\n", address, arguments[1]);
    fflush(stdout);
    for (;;) {
        int client_end = accept(listener, NULL, NULL);
        if (client_end < 0) continue;
        int cluster_end = loopback_socket(cluster_port, 0);
        if (cluster_end < 0) {
            close(client_end);
            continue;
        }
        /* Each direction has descriptors of its own to close. */
        pass(client_end, dup(cluster_end));
        pass(cluster_end, dup(client_end));
    }
}
