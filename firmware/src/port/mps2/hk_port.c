/**
 * @file  hk_port.c
 * @brief Port to QEMU's MPS2 and MPS3 machines: audio interrupt, time, cycles, reset, stack watermark.
 *
 * Audio   The page lies in the machine's main memory, which the bench shares (memory-backend-file). The audio interrupt
 *         is a free NVIC line of the highest priority, pended by software.
 * Cycles  QEMU's DWT counter reads 0 for ever; whether it counts is found out once, at start.
 */
#include "hk_cortexm.h"
#include "hk_mps2.h"

#include "hk/hk_app.h"  /* hk_app_audio_isr */
#include "hk/hk_port.h" /* everything */

static volatile uint32_t millis;
static bool has_cycles;

_Static_assert(HK_BOARD_TICK_HZ % 1000UL == 0UL, "SysTick counts whole milliseconds");

static bool start_cycle_counter(void) {
    HK_DEMCR |= HK_DEMCR_TRCENA;
    HK_DWT_CYCCNT = 0UL;
    HK_DWT_CTRL |= HK_DWT_CTRL_CYCCNT;
    const uint32_t start = HK_DWT_CYCCNT;
    __asm volatile("nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop");
    return HK_DWT_CYCCNT != start;
}

void hk_port_init(void) {
    has_cycles = start_cycle_counter();
    HK_SYST_RVR = HK_BOARD_TICK_HZ / 1000UL - 1UL;
    HK_SYST_CVR = 0UL;
    HK_SCB_PRIORITY(15U) = HK_MPS2_PRIORITY_TICK;
    HK_SYST_CSR = HK_SYST_CSR_CLKSOURCE | HK_SYST_CSR_TICKINT | HK_SYST_CSR_ENABLE;
    HK_NVIC_PRIORITY(HK_BOARD_AUDIO_IRQ) = HK_MPS2_PRIORITY_AUDIO;
    HK_NVIC_ISER(HK_BOARD_AUDIO_IRQ) = HK_NVIC_BIT(HK_BOARD_AUDIO_IRQ);
    hk_uart_init();
    __asm volatile("cpsie i" ::: "memory");
}

void hk_systick_isr(void) {
    millis = millis + 1U;
}

void hk_audio_isr(void) {
    hk_app_audio_isr();
}

hk_audio_page_t *hk_port_audio_page(void) {
    return (hk_audio_page_t *)HK_BOARD_PAGE_BASE;
}

/* The bench acts when the core reaches this address; the barrier keeps every access to the page on its side of it. */
__attribute__((noinline, used)) void hk_port_audio_sync(void) {
    __asm volatile("dmb" ::: "memory");
}

void hk_port_pend_audio_irq(void) {
    HK_NVIC_ISPR(HK_BOARD_AUDIO_IRQ) = HK_NVIC_BIT(HK_BOARD_AUDIO_IRQ);
    __asm volatile("dsb\n isb" ::: "memory");
}

uint32_t hk_port_critical_enter(void) {
    uint32_t saved;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(saved)::"memory");
    return saved;
}

void hk_port_critical_exit(uint32_t saved) {
    __asm volatile("msr primask, %0" ::"r"(saved) : "memory");
}

bool hk_port_cycles_available(void) {
    return has_cycles;
}

uint32_t hk_port_cycles(void) {
    return HK_DWT_CYCCNT;
}

uint32_t hk_port_millis(void) {
    return millis;
}

void hk_port_idle(void) {
    __asm volatile("wfi" ::: "memory");
} /* the tick ends it within a millisecond */

void hk_port_reset(void) {
    hk_uart_flush();
    __asm volatile("dsb" ::: "memory");
    HK_SCB_AIRCR = HK_SCB_AIRCR_RESET;
    for (;;) {
        __asm volatile("dsb" ::: "memory");
    }
}

uint32_t hk_port_stack_size(void) {
    return (uint32_t)(hk_stack_top - hk_stack_limit) * sizeof(uint32_t);
}

uint32_t hk_port_stack_used(void) {
    const volatile uint32_t *word = hk_stack_limit;
    while (word < hk_stack_top && *word == HK_MPS2_STACK_PAINT) {
        word++;
    }
    return (uint32_t)(hk_stack_top - word) * sizeof(uint32_t);
}
