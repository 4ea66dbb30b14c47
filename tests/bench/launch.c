// Runs commands alternately, ROUNDS times. Prints for each the median and the minimum wall time in
// nanoseconds, the peak memory in KiB, and the exit status. Needs little memory itself, because the peak of a
// child includes the memory of the process that it was forked from.
// Usage: launch ROUNDS -- [NAME=VALUE…] PROGRAM ARG… [-- …]
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64 };

static int by_size(const void *a, const void *b) {
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void child(char **words) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    while (strchr(*words, '=')) putenv(*words++);
    execv(*words, words);
    _exit(127);
}

int main(int argc, char **argv) {
    int rounds = argc > 2 ? atoi(argv[1]) : 0, count = 0;
    char **commands[MOST];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") != 0) continue;
        argv[i] = NULL;
        if (count == MOST) return 2;
        commands[count++] = argv + i + 1;
    }
    if (rounds < 1 || count < 1) return 2;
    long long *times = calloc((size_t)count * rounds, sizeof *times);
    long peak[MOST] = {0};
    int status[MOST] = {0};
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            struct rusage usage;
            long long start = now();
            pid_t pid = fork();
            if (pid == 0) child(commands[i]);
            int how;
            if (pid < 0 || wait4(pid, &how, 0, &usage) != pid) return 2;
            times[i * rounds + round] = now() - start;
            if (usage.ru_maxrss > peak[i]) peak[i] = usage.ru_maxrss;
            status[i] = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
        }
    }
    for (int i = 0; i < count; i++) {
        qsort(times + i * rounds, rounds, sizeof *times, by_size);
        printf("%lld %lld %ld %d\n", times[i * rounds + rounds / 2], times[i * rounds], peak[i], status[i]);
    }
    return 0;
}
