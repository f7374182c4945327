/* The limit: what a server can do at all on this machine.
 *
 *     limit PORT ANSWER_FILE BODY_BYTES
 *
 * One thread, one level-triggered epoll, one recv and one send per request, and a canned answer: the bytes in
 * ANSWER_FILE. It parses nothing. BODY_BYTES is the length of the body that each request carries (0: none, then
 * each recv is taken for one request). Not a web server: it exists to be measured against.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 65536, MAX_EVENTS = 512, INPUT_BYTES = 262144, BACKLOG = 8192 };

/* All zero between two requests. */
struct connection {
    size_t body_missing; /* body bytes of the current request that have not arrived */
    size_t answer_sent;  /* bytes of the answer that a full send buffer has let through so far */
    int blocked;         /* whether the rest of the answer waits for room: watched for writing, not for reading */
};

static struct connection connections[MAX_CONNECTIONS];
static char input[INPUT_BYTES];
static char *answer;
static size_t answer_bytes;
static size_t body_bytes;
static int poller;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void read_answer(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) die(path);
    long size = ftell(file);
    if (size <= 0) die(path);
    rewind(file);
    answer_bytes = (size_t)size;
    answer = malloc(answer_bytes);
    if (answer == NULL || fread(answer, 1, answer_bytes, file) != answer_bytes) die(path);
    fclose(file);
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) die("socket");
    /* Linux hands this option on to accepted sockets: no system call per connection. */
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die("TCP_NODELAY");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) die("bind");
    if (listen(fd, BACKLOG) != 0) die("listen");
    return fd;
}

static void watch(int operation, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(poller, operation, fd, &event) != 0) die("epoll_ctl");
}

static void accept_all(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (fd >= MAX_CONNECTIONS) {
            close(fd);
            continue;
        }
        memset(&connections[fd], 0, sizeof connections[fd]);
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

static void send_answer(int fd, struct connection *connection) {
    size_t before = connection->answer_sent;
    ssize_t sent = send(fd, answer + before, answer_bytes - before, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN) {
            close(fd);
            return;
        }
        sent = 0;
    }
    size_t after = before + (size_t)sent;
    if (after < answer_bytes) {
        connection->answer_sent = after;
        if (!connection->blocked) watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
        connection->blocked = 1;
        return;
    }
    if (connection->blocked) watch(EPOLL_CTL_MOD, fd, EPOLLIN);
    connection->blocked = 0;
    connection->answer_sent = 0;
}

/* Whether `count` newly received bytes complete a request. The head is taken to arrive in one piece. */
static int completes_request(struct connection *connection, size_t count) {
    if (body_bytes == 0) return 1;
    if (connection->body_missing == 0) {
        char *end = memmem(input, count, "\r\n\r\n", 4);
        if (end == NULL) return 0;
        connection->body_missing = body_bytes;
        count -= (size_t)(end + 4 - input);
    }
    connection->body_missing -= count < connection->body_missing ? count : connection->body_missing;
    return connection->body_missing == 0;
}

static void serve(int fd, uint32_t events) {
    struct connection *connection = &connections[fd];
    if (events & EPOLLOUT) {
        send_answer(fd, connection);
        return;
    }
    ssize_t count = recv(fd, input, sizeof input, 0);
    if (count <= 0) {
        if (count == 0 || errno != EAGAIN) close(fd);
        return;
    }
    if (completes_request(connection, (size_t)count)) send_answer(fd, connection);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: limit PORT ANSWER_FILE BODY_BYTES\n");
        return 2;
    }
    read_answer(argv[2]);
    body_bytes = strtoul(argv[3], NULL, 10);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) die("epoll_create1");
    int listener = listen_on(atoi(argv[1]));
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    struct epoll_event ready[MAX_EVENTS];
    for (;;) {
        int count = epoll_wait(poller, ready, MAX_EVENTS, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (ready[i].data.fd == listener)
                accept_all(listener);
            else
                serve(ready[i].data.fd, ready[i].events);
        }
    }
}
