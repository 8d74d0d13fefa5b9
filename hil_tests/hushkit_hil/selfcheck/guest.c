/*
 * Guest of the bench's self-check, Cortex-M7 (mps2-an500): plays back half of what the reference microphone hears, and
 * spends a known number of instructions. -DFAULT=1: wrong block; 2: loses an exchange at the 100th; 3: stops at the
 * 100th; 4: says another build id.
 */
#include "hk/hk_audio_page.h"

#ifndef FAULT
#define FAULT 0
#endif

#define PAGE         ((volatile hk_audio_page_t *)0x60000000UL)
#define NVIC_ISER    (*(volatile uint32_t *)0xE000E100UL)
#define NVIC_ISPR    (*(volatile uint32_t *)0xE000E200UL)
#define SYST_CSR     (*(volatile uint32_t *)0xE000E010UL)
#define SYST_RVR     (*(volatile uint32_t *)0xE000E014UL)
#define EARS         2U
#define ISR_TURNS    10U
#define THREAD_TURNS 50U

extern uint32_t hk_stack_top[], hk_stack_limit[];
extern const uint8_t hk_build_id[];
void hk_reset(void);
void hk_audio_isr(void);
void hk_systick_isr(void);
void hk_port_audio_sync(void);
void hk_port_pend_audio_irq(void);
void mark_begin(void);
void mark_end(void);
void mark_stop(void);
void spin(uint32_t turns);

/* Exactly 3 * turns + 1 instructions for turns > 0: nop, subs, bne; then bx. */
__attribute__((naked, noinline)) void spin(uint32_t turns) {
    (void)turns;
    __asm volatile("1: nop\n subs r0, #1\n bne 1b\n bx lr");
}

__attribute__((naked, noinline)) void mark_begin(void) {
    __asm volatile("bx lr");
}
__attribute__((naked, noinline)) void mark_end(void) {
    __asm volatile("bx lr");
}
__attribute__((naked, noinline)) void mark_stop(void) {
    __asm volatile("bx lr");
}
__attribute__((naked, noinline)) void hk_port_audio_sync(void) {
    __asm volatile("dmb\n bx lr");
}

__attribute__((noinline)) void hk_port_pend_audio_irq(void) {
    NVIC_ISPR = 1U;
    __asm volatile("dsb\n isb" ::: "memory");
}

/* The handler of the audio interrupt jumps to the one that returns, as a real one may. */
__attribute__((noinline, used)) static void play(void) {
    for (uint32_t ear = 0; ear < EARS; ear++) {
        PAGE->out[ear][0] = -(PAGE->in[ear][HK_AUDIO_IN_REFERENCE][0] >> 1);
    }
    __asm volatile("" ::: "memory");
}

__attribute__((naked)) void hk_audio_isr(void) {
    __asm volatile("push {r4, lr}\n movs r0, #10\n bl spin\n pop {r4, lr}\n b.w play");
}

static volatile uint32_t ticks;

void hk_systick_isr(void) {
    ticks = ticks + 1U;
}

__attribute__((naked, used)) void hk_reset(void) {
    __asm volatile("ldr r0, =hk_stack_limit\n ldr r1, =hk_stack_top\n ldr r2, =0xA5A5A5A5\n"
                   "1: str r2, [r0], #4\n cmp r0, r1\n bne 1b\n b.w run");
}

__attribute__((noreturn, used)) static void run(void) {
    SYST_RVR = 24999U;
    SYST_CSR = 7U;
    NVIC_ISER = 1U;
    for (uint32_t turns = 1; turns <= 1000U; turns *= 10U) {
        mark_begin();
        spin(turns);
        mark_end();
    }
    mark_stop();
    PAGE->n_ears = EARS;
    PAGE->block = FAULT == 1 ? 4U : 1U;
    PAGE->rate_hz = 48000U;
    PAGE->build_id = *(const uint32_t *)(const void *)hk_build_id + (FAULT == 4 ? 1U : 0U);
    PAGE->sequence = 0U;
    PAGE->ready = 1U;
    while (PAGE->stop == 0U && PAGE->magic == HK_AUDIO_PAGE_MAGIC) {
        PAGE->sequence = PAGE->sequence + (FAULT == 2 && PAGE->sequence == 100U ? 2U : 1U);
        hk_port_audio_sync();
        hk_port_pend_audio_irq();
        spin(THREAD_TURNS);
        while (FAULT == 3 && PAGE->sequence == 100U) {
        }
    }
    PAGE->ready = 2U;
    for (;;) {
        __asm volatile("wfi");
    }
}

typedef union {
    uint32_t *stack;
    void (*handler)(void);
} vector_t;

__attribute__((section(".vectors"), used)) const vector_t vectors[17] = {
    [0] = {.stack = hk_stack_top},
    [1] = {.handler = hk_reset},
    [15] = {.handler = hk_systick_isr},
    [16] = {.handler = hk_audio_isr},
};
