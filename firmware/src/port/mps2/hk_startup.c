/**
 * @file  hk_startup.c
 * @brief Vector table and the way from reset to main().
 *
 * No start files of a C library take part: this file paints the stack, guards its end, switches the FPU on, and fills
 * .data and .bss.
 */
#include "hk_cortexm.h"
#include "hk_mps2.h"

#include "hk/hk_port.h" /* HK_ASSERT, hk_port_reset */

#include <stdint.h> /* uint32_t */

#define HK_STARTUP_N_IRQ         96U
#define HK_STARTUP_VECTORS_ALIGN 512 /* a power of two that holds the 16 + 96 words */

typedef void (*hk_vector_t)(void);

extern uint32_t hk_data_start[], hk_data_end[], hk_bss_start[], hk_bss_end[];
extern const uint32_t hk_data_load[];

int main(void);
void hk_reset(void);
void hk_startup_run(void);

/* A union: the first word is an address, the others are functions. */
typedef union {
    uint32_t *stack;
    hk_vector_t handler;
} hk_vector_entry_t;

extern const hk_vector_entry_t hk_vectors[];

/* Where the slot's header would be, for a core that starts without a bootloader. Not part of a signed image. */
static const hk_vector_entry_t boot_vectors[2] __attribute__((section(".boot"), used)) = {
    {.stack = hk_stack_top},
    {.handler = hk_reset},
};

/* Every line is a fault first, then the board's own lines override theirs. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const hk_vector_entry_t hk_vectors[16U + HK_STARTUP_N_IRQ]
    __attribute__((section(".vectors"), used, aligned(HK_STARTUP_VECTORS_ALIGN))) = {
        [0] = {.stack = hk_stack_top},
        [1] = {.handler = hk_reset},
        [2 ... 14] = {.handler = hk_fault_entry},
        [15] = {.handler = hk_systick_isr},
        [16 ... 16U + HK_STARTUP_N_IRQ - 1U] = {.handler = hk_fault_entry},
        [16U + HK_BOARD_UART_RX_IRQ] = {.handler = hk_uart_rx_isr},
        [16U + HK_BOARD_UART_TX_IRQ] = {.handler = hk_uart_tx_isr},
        [16U + HK_BOARD_AUDIO_IRQ] = {.handler = hk_audio_isr},
};
#pragma GCC diagnostic pop

/* Paints the whole stack, so in assembly (HK-DEV-13): a C function would paint over its own frame. */
__attribute__((naked, used)) void hk_reset(void) {
    __asm volatile("cpsid i\n"
                   "ldr r0, =hk_stack_top\n"
                   "mov sp, r0\n"
#if __ARM_ARCH >= 8
                   "ldr r1, =hk_stack_limit\n"
                   "msr msplim, r1\n"
#endif
                   "ldr r1, =hk_stack_guard\n"
                   "ldr r2, =0x57ACC0DE\n" /* HK_MPS2_STACK_PAINT */
                   "1: cmp r1, r0\n"
                   "bhs 2f\n"
                   "str r2, [r1], #4\n"
                   "b 1b\n"
                   "2: bl hk_startup_run\n"
                   "b .\n"
                   ".ltorg\n");
}

static void guard_stack(void) {
    if (HK_MPU_TYPE == 0UL) {
        return; /* the fault handler still sees an overflow that leaves RAM */
    }
#if __ARM_ARCH < 8
    HK_MPU_RNR = 0UL;
    HK_MPU_RBAR = (uint32_t)hk_stack_guard;
    HK_MPU_RASR = (1UL << 28) | (9UL << 1) | 1UL; /* XN, no access, 2^(9+1) = 1024 bytes, on */
    HK_MPU_CTRL = HK_MPU_CTRL_PRIVDEFENA | HK_MPU_CTRL_ENABLE;
    __asm volatile("dsb\n isb" ::: "memory");
#endif
}

__attribute__((used)) void hk_startup_run(void) {
    HK_SCB_VTOR = (uint32_t)hk_vectors;
    HK_SCB_CPACR |= HK_SCB_CPACR_FPU;
    __asm volatile("dsb\n isb" ::: "memory");
    const uint32_t *from = hk_data_load;
    for (uint32_t *to = hk_data_start; to < hk_data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = hk_bss_start; to < hk_bss_end; to++) {
        *to = 0UL;
    }
    guard_stack();
    hk_fault_init();
    HK_ASSERT((HK_SCB_CPUID >> 4 & 0xFFFUL) == HK_BOARD_CPU_PART); /* an image for another core */
    (void)main();
    hk_port_reset();
}
