/* A disk that fails now and then, for the processes that load this library (LD_PRELOAD; Linux only).

   It stands before the C library's calls that write, for files below FAULTY_DISK_FOLDER. FAULTY_DISK_CONTROL is a file of
   four unsigned 32-bit numbers, which can be changed while processes run: how many calls of a million find the disk full
   (ENOSPC), fail (EIO), write a part only, or are slow. What happened is appended to FAULTY_DISK_LOG, a line each. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FULL, BROKEN, SHORT, SLOW, KINDS };

static const char *const NAMES[KINDS] = {"enospc", "eio", "short", "slow"};
static const long SLOW_NANOSECONDS = 50 * 1000 * 1000;

static const volatile uint32_t *control;
static const char *folder, *log_path;
static size_t folder_length;
static uint64_t seed;
static __thread uint64_t random_state;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTY_DISK_CONTROL"), *given = getenv("FAULTY_DISK_SEED");
    folder = getenv("FAULTY_DISK_FOLDER");
    log_path = getenv("FAULTY_DISK_LOG");
    if (!path || !folder || !log_path)
        return;
    folder_length = strlen(folder);
    seed = given ? strtoull(given, NULL, 10) : 0;
    int descriptor = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    void *mapped = mmap(NULL, KINDS * sizeof(uint32_t), PROT_READ, MAP_SHARED, descriptor, 0);
    syscall(SYS_close, descriptor);
    if (mapped != MAP_FAILED)
        control = mapped;
}

static int any(void)
{
    return control && (control[FULL] || control[BROKEN] || control[SHORT] || control[SLOW]);
}

static int is_ours(const char *path)
{
    return path && strncmp(path, folder, folder_length) == 0;
}

static int drawn(int kind)
{
    if (!random_state)
        random_state = (seed + 1) * 0x9E3779B97F4A7C15ull ^ ((uint64_t)getpid() << 20) ^ (uintptr_t)&random_state;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % 1000000 < control[kind];
}

static void note(int kind, const char *call, const char *path)
{
    char line[4096];
    int length = snprintf(line, sizeof line, "%s %s %s\n", NAMES[kind], call, path);
    int descriptor = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor >= 0) {
        syscall(SYS_write, descriptor, line, length < (int)sizeof line ? length : (int)sizeof line - 1);
        syscall(SYS_close, descriptor);
    }
}

/* 0, or the errno with which the call has to fail; a slow one has been waited for. */
static int fault(const char *call, const char *path)
{
    if (drawn(SLOW)) {
        struct timespec pause = {0, SLOW_NANOSECONDS};
        note(SLOW, call, path);
        nanosleep(&pause, NULL);
    }
    if (drawn(FULL)) {
        note(FULL, call, path);
        return ENOSPC;
    }
    if (drawn(BROKEN)) {
        note(BROKEN, call, path);
        return EIO;
    }
    return 0;
}

static const char *path_of(int descriptor, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

/* How many bytes of a write go through; -1 with errno set when none does. */
static ssize_t passed(const char *call, int descriptor, size_t count)
{
    char path[4096];
    if (!any() || !is_ours(path_of(descriptor, path, sizeof path)))
        return count;
    int number = fault(call, path);
    if (number) {
        errno = number;
        return -1;
    }
    if (count > 1 && drawn(SHORT)) {
        note(SHORT, call, path);
        return count / 2;
    }
    return count;
}

static int refused(const char *call, const char *path)
{
    int number = any() && is_ours(path) ? fault(call, path) : 0;
    if (number)
        errno = number;
    return number;
}

static int refused_of(const char *call, int descriptor)
{
    char path[4096];
    return any() ? refused(call, path_of(descriptor, path, sizeof path)) : 0;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int descriptor, const void *bytes, size_t count)
{
    static __typeof__(&write) next;
    ssize_t fitting = passed("write", descriptor, count);
    if (!next)
        next = NEXT(write);
    return fitting < 0 ? -1 : next(descriptor, bytes, fitting);
}

#define PWRITE(name, offset_type)                                                        \
    ssize_t name(int descriptor, const void *bytes, size_t count, offset_type offset)    \
    {                                                                                    \
        static __typeof__(&name) next;                                                   \
        ssize_t fitting = passed(#name, descriptor, count);                              \
        if (!next)                                                                       \
            next = NEXT(name);                                                           \
        return fitting < 0 ? -1 : next(descriptor, bytes, fitting, offset);              \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define WRITEV(name, more_parameters, more)                                               \
    ssize_t name(int descriptor, const struct iovec *pieces, int count more_parameters)   \
    {                                                                                    \
        static __typeof__(&name) next;                                                   \
        size_t total = 0;                                                                \
        for (int i = 0; i < count; i++)                                                  \
            total += pieces[i].iov_len;                                                  \
        ssize_t fitting = passed(#name, descriptor, total);                              \
        if (!next)                                                                       \
            next = NEXT(name);                                                           \
        if (fitting < 0)                                                                 \
            return -1;                                                                   \
        if ((size_t)fitting != total && count > 1)                                       \
            count = 1;                                                                   \
        return next(descriptor, pieces, count more);                                     \
    }
#define AND ,
WRITEV(writev, , )
WRITEV(pwritev, AND off_t offset, AND offset)
WRITEV(pwritev64, AND off64_t offset, AND offset)
WRITEV(pwritev2, AND off_t offset AND int flags, AND offset AND flags)
WRITEV(pwritev64v2, AND off64_t offset AND int flags, AND offset AND flags)

#define SYNC(name)                                                                       \
    int name(int descriptor)                                                             \
    {                                                                                    \
        static __typeof__(&name) next;                                                   \
        if (!next)                                                                       \
            next = NEXT(name);                                                           \
        return refused_of(#name, descriptor) ? -1 : next(descriptor);                    \
    }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to)
{
    static __typeof__(&rename) next;
    if (!next)
        next = NEXT(rename);
    return refused("rename", to) ? -1 : next(from, to);
}

int link(const char *from, const char *to)
{
    static __typeof__(&link) next;
    if (!next)
        next = NEXT(link);
    return refused("link", to) ? -1 : next(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    static __typeof__(&linkat) next;
    if (!next)
        next = NEXT(linkat);
    return refused("linkat", to) ? -1 : next(from_folder, from, to_folder, to, flags);
}

int unlink(const char *path)
{
    static __typeof__(&unlink) next;
    if (!next)
        next = NEXT(unlink);
    return refused("unlink", path) ? -1 : next(path);
}

#define OPEN(name)                                                                       \
    int name(const char *path, int flags, ...)                                           \
    {                                                                                    \
        static int (*next)(const char *, int, ...);                                      \
        va_list more;                                                                    \
        va_start(more, flags);                                                           \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;          \
        va_end(more);                                                                    \
        if (!next)                                                                       \
            next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);             \
        return flags & O_CREAT && refused(#name, path) ? -1 : next(path, flags, mode);   \
    }
OPEN(open)
OPEN(open64)
