/**
 * @file  hk_test.c
 * @brief Runs a suite and reports a line per test: on the host through stdio, on a core through semihosting.
 *
 * Format    "test NAME: passed" or "test NAME: FAILED at FILE:LINE: WHAT", then "tests: P passed, F failed". A run
 *           without the last line did not finish; test_custom_runner.py counts that as an error.
 */
#include "hk_test.h"

#ifdef __arm__
void hk_port_init(void);

#define HK_SEMIHOSTING_WRITE0 0x04
#define HK_SEMIHOSTING_EXIT   0x18
#define HK_SEMIHOSTING_DONE   ((const void *)0x20026) /* ADP_Stopped_ApplicationExit */

static void call_host(int operation, const void *argument) {
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void begin(void) {
    hk_port_init();
}

static void write(const char *text) {
    call_host(HK_SEMIHOSTING_WRITE0, text);
}

/* How many tests failed is in the text: a host could not tell an exit code from the emulator's own. */
static void end(void) {
    call_host(HK_SEMIHOSTING_EXIT, HK_SEMIHOSTING_DONE);
}
#else
#include <stdio.h> /* fputs */

static void begin(void) {}

static void write(const char *text) {
    (void)fputs(text, stdout);
}

static void end(void) {
    (void)fflush(stdout);
}
#endif

static bool failed; /* the running test */

static void write_number(int64_t value) {
    char text[24];
    uint32_t at = sizeof text - 1U;
    uint64_t rest = value < 0 ? 0U - (uint64_t)value : (uint64_t)value;
    text[at] = '\0';
    do {
        text[--at] = (char)('0' + (int)(rest % 10U));
        rest /= 10U;
    } while (rest != 0U);
    if (value < 0) {
        text[--at] = '-';
    }
    write(&text[at]);
}

void hk_test_fail(const char *file, uint32_t line, const char *what) {
    if (!failed) {
        write("FAILED at ");
        write(file);
        write(":");
        write_number((int64_t)line);
        write(": ");
        write(what);
        failed = true;
    }
}

void hk_test_fail_equal(const char *file, uint32_t line, const char *what, int64_t found, int64_t expected) {
    if (!failed) {
        hk_test_fail(file, line, what);
        write(" is ");
        write_number(found);
        write(", expected ");
        write_number(expected);
    }
}

int main(void) {
    uint32_t n_failed = 0U;
    begin();
    for (uint32_t i = 0U; i < hk_n_tests; i++) {
        failed = false;
        write("test ");
        write(hk_tests[i].name);
        write(": ");
        hk_tests[i].run();
        write(failed ? "\n" : "passed\n");
        n_failed += failed ? 1U : 0U;
    }
    write("tests: ");
    write_number((int64_t)(hk_n_tests - n_failed));
    write(" passed, ");
    write_number((int64_t)n_failed);
    write(" failed\n");
    end();
    return 0;
}
