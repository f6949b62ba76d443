/* The bench's client: it asks over and over, and lets the kernel drop the bodies (MSG_TRUNC), so that it costs little.

   sink PORT CONNECTIONS SECONDS RANGE SIZE RATE < requests

   On standard input stand request heads, each ended by an empty line; connection after connection takes the next one.
   RANGE bytes at random aligned places of a SIZE byte file are asked for, or the whole where it is 0. RATE is the
   bytes a second that each connection reads, or 0 for all there are; with a RANGE too, the connections begin one after
   another within the time that a range takes them, as viewers do. Prints: bytes answers errors p50_us p99_us. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 16384, MOST_HEADS = 4096, MOST_TIMES = 1 << 22, PIECE = 16384 };

struct connection {
    int socket, in_body, closes, resting;
    size_t held;
    long long left, read;
    double asked, since;
    char head[HEAD];
};

static char *heads[MOST_HEADS];
static int head_count, next_head, poller;
static struct sockaddr_in server;
static long long range, size, bytes, answers, errors;
static double rate, *times;
static int time_count;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void read_heads(void) {
    size_t capacity = 16 << 20, length;
    char *text = malloc(capacity), *end;
    length = fread(text, 1, capacity - 1, stdin);
    text[length] = 0;
    for (; head_count < MOST_HEADS && (end = strstr(text, "\r\n\r\n")); text = end + 4) {
        end[2] = 0;
        heads[head_count++] = text;
    }
}

static void ask(struct connection *c) {
    char text[HEAD];
    int length = snprintf(text, sizeof text, "%s", heads[next_head]);
    next_head = (next_head + 1) % head_count;
    if (range) {
        long long first = random() % (size / range) * range;
        length += snprintf(text + length, sizeof text - length, "Range: bytes=%lld-%lld\r\n", first, first + range - 1);
    }
    length += snprintf(text + length, sizeof text - length, "\r\n");
    c->in_body = c->closes = 0;
    c->held = 0;
    c->asked = now();
    if (write(c->socket, text, length) != length) errors++;
}

static void dial(struct connection *c) {
    int one = 1;
    c->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->socket, (struct sockaddr *)&server, sizeof server)) {
        perror("connect");
        exit(1);
    }
    setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->socket, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->socket, &event);
    ask(c);
}

static void dial_again(struct connection *c) {
    close(c->socket);
    dial(c);
}

static void fail(struct connection *c) {
    if (++errors > 1000) {
        fprintf(stderr, "sink: too many errors; the last head was:\n%.400s\n", c->head);
        exit(1);
    }
    dial_again(c);
}

static void took(struct connection *c, long long count) {
    bytes += count;
    c->read += count;
    c->left -= count;
    if (c->left > 0) return;
    answers++;
    if (c->closes) dial_again(c);
    else ask(c);
}

static void read_head(struct connection *c) {
    ssize_t count = recv(c->socket, c->head + c->held, HEAD - 1 - c->held, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
        fail(c);
        return;
    }
    if (!c->held && time_count < MOST_TIMES) times[time_count++] = now() - c->asked;
    c->held += count;
    c->head[c->held] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        if (c->held == HEAD - 1) fail(c);
        return;
    }
    long long body = c->held - (end + 4 - c->head);
    end[2] = 0;
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    int status = atoi(c->head + 9);
    if (status < 200 || status >= 400 || (!length && status < 300)) {
        fail(c);
        return;
    }
    c->closes = strcasestr(c->head, "\r\nconnection: close") != NULL;
    c->left = length ? atoll(length + 17) : 0;
    c->in_body = 1;
    took(c, body);
}

static void watch(struct connection *c, int events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    c->resting = !events;
    epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &event);
}

/* A slow reader takes the body in pieces, or its client would be busier than the server. */
static long long piece_of(struct connection *c) {
    return c->left < PIECE ? c->left : PIECE;
}

static void read_body(struct connection *c) {
    long long want = c->left < 1 << 20 ? c->left : 1 << 20;
    if (rate) {
        long long allowed = rate * (now() - c->since) - c->read;
        if (allowed < piece_of(c)) {
            watch(c, 0);
            return;
        }
        if (allowed < want) want = allowed;
    }
    ssize_t count = recv(c->socket, NULL, want, MSG_TRUNC);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) fail(c);
    else took(c, count);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    int count = atoi(argv[2]);
    double end = now() + atof(argv[3]);
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    range = atoll(argv[4]);
    size = atoll(argv[5]);
    rate = atof(argv[6]);
    read_heads();
    if (!head_count) return 2;
    poller = epoll_create1(0);
    times = malloc(sizeof *times * MOST_TIMES);
    struct connection *connections = calloc(count, sizeof *connections);
    double begin = now(), pause = rate && range ? range / rate / count : 0;
    int dialled = 0;
    struct epoll_event events[256];
    while (now() < end) {
        for (; dialled < count && now() >= begin + pause * dialled; dialled++) {
            connections[dialled].since = now();
            dial(&connections[dialled]);
        }
        for (int i = 0; rate && i < dialled; i++) {
            struct connection *c = &connections[i];
            if (c->resting && c->read + piece_of(c) <= rate * (now() - c->since)) watch(c, EPOLLIN);
        }
        int ready = epoll_wait(poller, events, 256, 20);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->in_body) read_body(c);
            else read_head(c);
        }
    }
    qsort(times, time_count, sizeof *times, by_size);
    printf("%lld %lld %lld %.1f %.1f\n", bytes, answers, errors, time_count ? times[time_count / 2] * 1e6 : 0,
           time_count ? times[(int)(time_count * 0.99)] * 1e6 : 0);
    return 0;
}
