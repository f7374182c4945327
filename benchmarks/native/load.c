/* The load generator: a closed loop of requests on kept-alive connections, with every answer checked.
 *
 *     load PORT REQUEST_FILE CONNECTIONS WARMUP_SECONDS SECONDS MAX_REQUESTS STATUS BODY_BYTES
 *
 * Each connection sends the bytes of REQUEST_FILE, reads the whole answer (Content-Length, chunked, or until close),
 * checks its status code and the length of its body (BODY_BYTES, -1 for any), and sends again. After the warm-up
 * it waits for what is under way, prints `ready` and reads a line, so that the caller can sample the server's CPU
 * clock while nothing runs; then it measures until SECONDS have passed or MAX_REQUESTS (0: no such end) are
 * answered, again waits for what is under way, and prints one line of JSON:
 *     requests, seconds    answered within the interval, and its length: the rate
 *     answered             all answers, with those waited for at the end: what the server's CPU time paid for
 *     p50_us, p99_us       latency of a request, from its sending to the last byte of its answer
 *     errors, reconnects   wrong or cut answers; connections that the server closed after an answer
 * One thread, one epoll, one recv and one send per small request: about as cheap as a client can be, since on a
 * machine of two cores a generator slower than the server would measure only itself.
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
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_BYTES = 262144, HEAD_BYTES = 16384, MAX_EVENTS = 1024, DRAIN_MS = 3000, STUCK_MS = 10000 };

enum phase { HEAD, LENGTH_BODY, CLOSE_BODY, CHUNK_LINE, CHUNK_DATA, CHUNK_END, TRAILER, COMPLETE, BROKEN };

struct connection {
    int fd;
    enum phase phase;
    int idle;              /* answered, and not asked again */
    int closing;           /* the server will close after this answer */
    size_t sent;           /* bytes of the request sent so far */
    size_t missing;        /* bytes of the body or of the chunk that have not arrived */
    size_t line;           /* bytes of the current chunk line or trailer line */
    size_t body;           /* body bytes so far */
    int64_t asked_at;      /* ns */
    size_t head_bytes;     /* of `head` in use: a head that came in pieces */
    char head[HEAD_BYTES];
};

/* Latencies in ns: 256 linear steps per power of two, so that a percentile is exact to 0.4 %. */
enum { STEPS = 256, STEP_BITS = 8, POWERS = 40 };
static uint64_t histogram[POWERS * STEPS];

static char input[INPUT_BYTES];
static char *request;
static size_t request_bytes;
static int port, poller, expected_status;
static long long expected_body;
static long long answered, errors, reconnects, asked, max_asked;
static int stopping;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void record(int64_t ns) {
    uint64_t value = ns > 0 ? (uint64_t)ns : 1;
    unsigned power = 63u - (unsigned)__builtin_clzll(value);
    unsigned shift = power > STEP_BITS ? power - STEP_BITS : 0;
    uint64_t index = (uint64_t)shift * STEPS + (value >> shift);
    if (index >= POWERS * STEPS) index = POWERS * STEPS - 1;
    histogram[index]++;
}

static double percentile_us(double fraction) {
    uint64_t total = 0, seen = 0;
    for (size_t i = 0; i < POWERS * STEPS; i++) total += histogram[i];
    uint64_t wanted = (uint64_t)(fraction * (double)total);
    for (size_t i = 0; i < POWERS * STEPS; i++) {
        seen += histogram[i];
        if (seen <= wanted) continue;
        /* The inverse of the index in `record`: above the first two rows each row's values have bit 8 set. */
        size_t shift = i < 2 * STEPS ? 0 : i / STEPS - 1;
        return (double)((uint64_t)(i - shift * STEPS) << shift) / 1000.0;
    }
    return 0.0;
}

static void read_request(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) die(path);
    long size = ftell(file);
    if (size <= 0) die(path);
    rewind(file);
    request_bytes = (size_t)size;
    request = malloc(request_bytes);
    if (request == NULL || fread(request, 1, request_bytes, file) != request_bytes) die(path);
    fclose(file);
}

static void watch(int operation, struct connection *connection, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, operation, connection->fd, &event) != 0) die("epoll_ctl");
}

static void open_connection(struct connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) die("socket");
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
    if (setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die("TCP_NODELAY");
    connection->idle = 1;
    watch(EPOLL_CTL_ADD, connection, EPOLLIN);
}

static void reopen(struct connection *connection) {
    close(connection->fd);
    open_connection(connection);
}

static void send_request(struct connection *connection) {
    size_t before = connection->sent;
    ssize_t sent =
        send(connection->fd, request + before, request_bytes - before, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return; /* the read side will see the end of this connection */
    connection->sent += sent > 0 ? (size_t)sent : 0;
    if (connection->sent < request_bytes)
        watch(EPOLL_CTL_MOD, connection, EPOLLIN | EPOLLOUT);
    else if (before > 0)
        watch(EPOLL_CTL_MOD, connection, EPOLLIN);
}

static void ask(struct connection *connection, int64_t now) {
    if (stopping || (max_asked > 0 && asked >= max_asked)) {
        connection->idle = 1;
        return;
    }
    asked++;
    connection->idle = 0;
    connection->phase = HEAD;
    connection->closing = 0;
    connection->sent = connection->missing = connection->body = connection->head_bytes = 0;
    connection->line = 0;
    connection->asked_at = now;
    send_request(connection);
}

static int has_value(const char *value, size_t bytes, const char *word) {
    size_t length = strlen(word);
    return bytes >= length && strncasecmp(value, word, length) == 0;
}

/* Reads the fields that frame the body out of a complete head of `bytes` bytes. */
static void start_body(struct connection *connection, const char *head, size_t bytes) {
    int status = bytes > 12 ? (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0') : 0;
    if (status != expected_status) {
        connection->phase = BROKEN;
        return;
    }
    connection->phase = CLOSE_BODY;
    const char *end = head + bytes;
    const char *line = memchr(head, '\n', bytes);
    while (line != NULL && ++line < end) {
        size_t left = (size_t)(end - line);
        if (has_value(line, left, "content-length:")) {
            connection->missing = strtoul(line + 15, NULL, 10);
            connection->phase = connection->missing > 0 ? LENGTH_BODY : COMPLETE;
        } else if (has_value(line, left, "transfer-encoding:")) {
            connection->phase = CHUNK_LINE;
        } else if (has_value(line, left, "connection: close")) {
            connection->closing = 1;
        }
        line = memchr(line, '\n', left);
    }
}

/* Takes bytes of the head; returns how many. */
static size_t take_head(struct connection *connection, const char *data, size_t count) {
    if (connection->head_bytes == 0) {
        const char *end = memmem(data, count, "\r\n\r\n", 4);
        if (end != NULL) {
            start_body(connection, data, (size_t)(end + 4 - data));
            return (size_t)(end + 4 - data);
        }
    }
    /* A head in pieces, one byte at a time: rare. */
    size_t taken = 0;
    while (taken < count && connection->phase == HEAD) {
        if (connection->head_bytes == HEAD_BYTES) {
            connection->phase = BROKEN;
            break;
        }
        connection->head[connection->head_bytes++] = data[taken++];
        size_t have = connection->head_bytes;
        if (have >= 4 && memcmp(connection->head + have - 4, "\r\n\r\n", 4) == 0)
            start_body(connection, connection->head, have);
    }
    return taken;
}

static void take_chunk_line(struct connection *connection, char byte) {
    if (byte == '\n') {
        connection->phase = connection->missing > 0 ? CHUNK_DATA : TRAILER;
        connection->line = 0;
        return;
    }
    int digit = -1;
    if (byte >= '0' && byte <= '9') digit = byte - '0';
    if (byte >= 'a' && byte <= 'f') digit = byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') digit = byte - 'A' + 10;
    if (digit >= 0)
        connection->missing = connection->missing * 16 + (size_t)digit;
    else if (byte != '\r')
        connection->phase = BROKEN;
}

static void take_trailer(struct connection *connection, char byte) {
    if (byte == '\n') {
        if (connection->line == 0) connection->phase = COMPLETE;
        connection->line = 0;
    } else if (byte != '\r') {
        connection->line++;
    }
}

/* Takes body bytes that are counted in `missing`; returns how many. */
static size_t take_body(struct connection *connection, size_t count, enum phase next) {
    size_t taken = count < connection->missing ? count : connection->missing;
    connection->missing -= taken;
    connection->body += taken;
    if (connection->missing == 0) connection->phase = next;
    return taken;
}

/* Feeds received bytes through the parser until the answer is complete or broken; returns how many were used. */
static size_t take(struct connection *connection, const char *data, size_t count) {
    size_t used = 0;
    while (used < count && connection->phase < COMPLETE) {
        switch (connection->phase) {
        case HEAD: used += take_head(connection, data + used, count - used); break;
        case LENGTH_BODY: used += take_body(connection, count - used, COMPLETE); break;
        case CHUNK_DATA: used += take_body(connection, count - used, CHUNK_END); break;
        case CHUNK_LINE: take_chunk_line(connection, data[used++]); break;
        case CHUNK_END:
            if (data[used++] == '\n') connection->phase = CHUNK_LINE;
            break;
        case TRAILER: take_trailer(connection, data[used++]); break;
        default: /* CLOSE_BODY */
            connection->body += count - used;
            used = count;
        }
    }
    return used;
}

static void complete(struct connection *connection, int64_t now) {
    if (connection->phase == BROKEN || (expected_body >= 0 && (size_t)expected_body != connection->body))
        errors++;
    else
        record(now - connection->asked_at);
    answered++;
    if (connection->closing || connection->phase == BROKEN) {
        reconnects++;
        reopen(connection);
    }
    ask(connection, now);
}

static void end_of_input(struct connection *connection) {
    if (!connection->idle && connection->phase == CLOSE_BODY) {
        connection->closing = 1;
        connection->phase = COMPLETE;
        complete(connection, now_ns());
        return;
    }
    int was_idle = connection->idle;
    if (!was_idle) errors++;
    reconnects++;
    reopen(connection);
    if (!was_idle) ask(connection, now_ns());
}

static void serve(struct connection *connection, uint32_t events) {
    if ((events & EPOLLOUT) && !connection->idle) send_request(connection);
    if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
    ssize_t count = recv(connection->fd, input, sizeof input, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        end_of_input(connection);
        return;
    }
    size_t used = connection->idle ? 0 : take(connection, input, (size_t)count);
    if (used < (size_t)count) connection->phase = BROKEN; /* bytes that nobody asked for */
    if (connection->phase >= COMPLETE) complete(connection, now_ns());
}

static size_t count_busy(const struct connection *connections, size_t count) {
    size_t busy = 0;
    for (size_t i = 0; i < count; i++) busy += !connections[i].idle;
    return busy;
}

/* One turn of the loop; exits if the server stops answering. */
static void turn(int timeout_ms) {
    struct epoll_event ready[MAX_EVENTS];
    int count = epoll_wait(poller, ready, MAX_EVENTS, timeout_ms);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    if (count == 0 && timeout_ms >= STUCK_MS) {
        fprintf(stderr, "no answer within %d s\n", STUCK_MS / 1000);
        exit(1);
    }
    for (int i = 0; i < count; i++) serve(ready[i].data.ptr, ready[i].events);
}

struct interval {
    long long requests;
    double seconds;
};

/* Loads the server for `seconds` or `most` requests, then waits for what is under way. */
static struct interval run(struct connection *connections, size_t count, double seconds, long long most) {
    memset(histogram, 0, sizeof histogram);
    answered = asked = errors = reconnects = 0;
    stopping = 0;
    max_asked = most;
    int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9), now = start;
    for (size_t i = 0; i < count; i++) ask(&connections[i], now_ns());
    while (now < end && !(most > 0 && answered >= most)) {
        turn(STUCK_MS);
        now = now_ns();
    }
    struct interval result = {.requests = answered, .seconds = (double)(now - start) / 1e9};
    stopping = 1;
    int64_t patience = now + (int64_t)DRAIN_MS * 1000000;
    while (count_busy(connections, count) > 0 && now_ns() < patience) turn(50);
    return result;
}

int main(int argc, char **argv) {
    if (argc != 9) {
        fprintf(stderr, "usage: load PORT REQUEST_FILE CONNECTIONS WARMUP_SECONDS SECONDS MAX_REQUESTS "
                        "STATUS BODY_BYTES\n");
        return 2;
    }
    port = atoi(argv[1]);
    read_request(argv[2]);
    size_t count = strtoul(argv[3], NULL, 10);
    double warmup = atof(argv[4]), seconds = atof(argv[5]);
    long long most = atoll(argv[6]);
    expected_status = atoi(argv[7]);
    expected_body = atoll(argv[8]);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *connections = calloc(count, sizeof *connections);
    if (poller < 0 || connections == NULL) die("start");
    for (size_t i = 0; i < count; i++) open_connection(&connections[i]);
    if (warmup > 0) run(connections, count, warmup, 0);
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) return 1;
    struct interval result = run(connections, count, seconds, most);
    printf("{\"requests\": %lld, \"seconds\": %.6f, \"answered\": %lld, \"p50_us\": %.2f, \"p99_us\": %.2f, "
           "\"errors\": %lld, \"reconnects\": %lld}\n",
           result.requests, result.seconds, answered, percentile_us(0.50), percentile_us(0.99), errors, reconnects);
    return 0;
}
