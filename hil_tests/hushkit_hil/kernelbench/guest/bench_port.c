/*
 * Start-up and output of the kernel bench on a bare Cortex-M under QEMU: vectors, FPU on, semihosting.
 * The host build uses stdio instead.
 */
#include "bench_guest.h"

__attribute__((noinline)) void mark_begin(void) {
    __asm volatile("");
}

__attribute__((noinline)) void mark_end(void) {
    __asm volatile("");
}

#if defined(__arm__)

extern uint32_t bench_data_start[], bench_data_end[], bench_bss_start[], bench_bss_end[], bench_stack_top[];
extern const uint32_t bench_data_load[];

typedef union {
    uint32_t *stack;
    void (*handler)(void);
} vector_t;

void hk_reset(void);

static uint32_t semihost(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

#define DWT_CTRL   (*(volatile uint32_t *)0xE0001000UL)
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004UL)
#define DEMCR      (*(volatile uint32_t *)0xE000EDFCUL)

static bool counts;

bool bench_cycles_available(void) {
    return counts;
}

uint32_t bench_cycles(void) {
    return DWT_CYCCNT;
}

static void start_counter(void) {
    DEMCR |= 1UL << 24; /* TRCENA */
    DWT_CYCCNT = 0U;
    DWT_CTRL |= 1UL; /* CYCCNTENA */
    const uint32_t before = DWT_CYCCNT;
    counts = DWT_CYCCNT != before;
}

enum { SYS_WRITE0 = 0x04, SYS_EXIT = 0x18 };
#define EXIT_OK    ((const void *)0x20026) /* ADP_Stopped_ApplicationExit */
#define EXIT_FAULT ((const void *)0x20023) /* ADP_Stopped_RunTimeErrorUnknown */

void bench_print(const char *text) {
    (void)semihost(SYS_WRITE0, text);
}

static void fault(void) {
    bench_print("fault\n");
    (void)semihost(SYS_EXIT, EXIT_FAULT);
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) const vector_t bench_vectors[16] = {
    [0] = {.stack = bench_stack_top},
    [1] = {.handler = hk_reset},
    [2 ... 15] = {.handler = fault},
};

__attribute__((noinline, used)) static void run(void) {
    for (uint32_t k = 0; &bench_data_start[k] < bench_data_end; k++) {
        bench_data_start[k] = bench_data_load[k];
    }
    for (uint32_t *word = bench_bss_start; word < bench_bss_end; word++) {
        *word = 0;
    }
    start_counter();
    bench_main();
    (void)semihost(SYS_EXIT, EXIT_OK);
    for (;;) {
    }
}

void hk_reset(void) {
    *(volatile uint32_t *)0xE000ED08UL = (uint32_t)bench_vectors; /* VTOR */
    *(volatile uint32_t *)0xE000ED88UL |= 0xFUL << 20;            /* CPACR: floating point and Helium on */
    __asm volatile("dsb\n isb");
    run();
}

#else

#include <stdio.h>

void bench_print(const char *text) {
    (void)fputs(text, stdout);
}

bool bench_cycles_available(void) {
    return false;
}

uint32_t bench_cycles(void) {
    return 0U;
}

int main(void) {
    bench_main();
    return 0;
}

#endif
