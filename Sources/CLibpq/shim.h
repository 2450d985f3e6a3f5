#ifndef ROLLCALL_CLIBPQ_SHIM_H
#define ROLLCALL_CLIBPQ_SHIM_H

// No feature-test macro (_GNU_SOURCE and its like) here: Swift's Glibc module is built without one, and glibc's structs
// that both see (fd_set) would differ, which the compiler refuses or not by the order in which modules are built.
#include <libpq-fe.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

// Waiting on libpq's sockets: what Swift's Glibc module leaves out, with the packed struct and the enums kept in C.

static const uint32_t shim_readable = EPOLLIN;
static const uint32_t shim_writable = EPOLLOUT;

static inline int shim_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static inline int shim_wake_create(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

// Watches `descriptor` for `events`, whether or not it was watched before.
static inline int shim_epoll_watch(int epoll, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.fd = descriptor}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0) return 0;
    return epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event);
}

static inline int shim_epoll_unwatch(int epoll, int descriptor) {
    struct epoll_event event = {0};
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event);
}

#define SHIM_EPOLL_BATCH 64

// One wait; fills both arrays (of at least SHIM_EPOLL_BATCH) and answers how many entries.
static inline int shim_epoll_wait(int epoll, int milliseconds, int *descriptors, uint32_t *events) {
    struct epoll_event batch[SHIM_EPOLL_BATCH];
    int count = epoll_wait(epoll, batch, SHIM_EPOLL_BATCH, milliseconds);
    for (int i = 0; i < count; i++) {
        descriptors[i] = batch[i].data.fd;
        events[i] = batch[i].events;
    }
    return count;
}

static inline void shim_name_thread(const char *name) { prctl(PR_SET_NAME, name); }

// The calling process gets `signal` when the thread that started it ends.
static inline int shim_die_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }

#endif
