/**
 * @file  hk_mps2.h
 * @brief What the files of this port share: the linker script's symbols and the interrupt handlers.
 *
 * The board's addresses and interrupt lines come from firmware/boards/<board>.json as macros.
 */
#ifndef HK_MPS2_H
#define HK_MPS2_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

#if !defined(HK_BOARD_PAGE_BASE) || !defined(HK_BOARD_UART_BASE) || !defined(HK_BOARD_UART_RX_IRQ) ||                  \
    !defined(HK_BOARD_UART_TX_IRQ) || !defined(HK_BOARD_AUDIO_IRQ) || !defined(HK_BOARD_TICK_HZ)
#error "board macros missing: build with a board of firmware/boards"
#endif

#ifndef HK_BUILD_VERSION
#error "HK_BUILD_VERSION missing: the build plan gives the project's version"
#endif

#define HK_MPS2_STACK_PAINT 0x57ACC0DEUL

#define HK_MPS2_PRIORITY_AUDIO 0x00U
#define HK_MPS2_PRIORITY_TICK  0x80U
#define HK_MPS2_PRIORITY_UART  0xC0U

/* Bounds from the linker script: each pair is one object's (HK-DEV-14). */
extern const uint8_t hk_slot[], hk_slot_end[], hk_image_start[], hk_image_end[];
extern uint32_t hk_stack_guard[], hk_stack_limit[], hk_stack_top[];

void hk_port_init(void);
void hk_fault_entry(void);
void hk_fault_init(void);
void hk_systick_isr(void);
void hk_uart_rx_isr(void);
void hk_uart_tx_isr(void);
void hk_audio_isr(void);

/** Start the receiver and the transmitter. */
void hk_uart_init(void);

/** Send everything queued, by polling. */
void hk_uart_flush(void);

/** Send text at once, past the queue: for a fault, when no interrupt can help. */
void hk_uart_panic_write(const char *text);

/** Faults in a row that hold the audio, so that the line stays reachable; a run of HK_FAULT_SETTLE_MS ends a row. */
#define HK_FAULT_HOLD_COUNT 3U
#define HK_FAULT_SETTLE_MS  10000U

/** Whether faults in a row ask for a start without audio. */
bool hk_fault_hold_audio(void);

/** Tell the record how long the firmware has run. */
void hk_fault_settle(uint32_t uptime_ms);

#endif /* HK_MPS2_H */
