/**
 * @file  hk_uart.c
 * @brief CMSDK APB UART with two ring buffers (Arm DDI 0479, section 4.3).
 *
 * Each ring has one writer and one reader, an interrupt and the thread, so indices need no lock: they run freely and
 * are taken modulo the ring's length where they are used.
 */
#include "hk_cortexm.h"
#include "hk_mps2.h"

#include "hk/hk_port.h" /* hk_port_uart_read, hk_port_uart_write */

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint32_t */

#define HK_UART_RX_BYTES 2048U /* a command of the longest SMP packet, as lines of base64 */
#define HK_UART_TX_BYTES 2048U

#define HK_UART_DATA     HK_REG32(HK_BOARD_UART_BASE + 0x00UL)
#define HK_UART_STATE    HK_REG32(HK_BOARD_UART_BASE + 0x04UL)
#define HK_UART_CTRL     HK_REG32(HK_BOARD_UART_BASE + 0x08UL)
#define HK_UART_INTCLEAR HK_REG32(HK_BOARD_UART_BASE + 0x0CUL)
#define HK_UART_BAUDDIV  HK_REG32(HK_BOARD_UART_BASE + 0x10UL)

#define HK_UART_STATE_TX_FULL    (1UL << 0)
#define HK_UART_STATE_RX_FULL    (1UL << 1)
#define HK_UART_STATE_RX_OVERRUN (1UL << 3)
#define HK_UART_CTRL_RUN         0x0FUL /* transmitter, receiver, and an interrupt of each */
#define HK_UART_INT_TX           (1UL << 0)
#define HK_UART_INT_RX           (1UL << 1)
#define HK_UART_PERIPHERAL_HZ    25000000UL /* MPS2 peripheral clock; the emulator does not pace by it */
#define HK_UART_BAUD             115200UL

_Static_assert((HK_UART_RX_BYTES & (HK_UART_RX_BYTES - 1U)) == 0U, "indices wrap at 2^32");
_Static_assert((HK_UART_TX_BYTES & (HK_UART_TX_BYTES - 1U)) == 0U, "indices wrap at 2^32");

static struct {
    uint8_t rx[HK_UART_RX_BYTES];
    uint8_t tx[HK_UART_TX_BYTES];
    volatile uint32_t rx_in, rx_out, tx_in, tx_out;
} uart;

/* Keeps the compiler from moving the bytes past the index that publishes them; a single core needs no more. */
static inline void publish(void) {
    __asm volatile("" ::: "memory");
}

void hk_uart_init(void) {
    HK_UART_BAUDDIV = HK_UART_PERIPHERAL_HZ / HK_UART_BAUD;
    HK_UART_CTRL = HK_UART_CTRL_RUN;
    HK_NVIC_PRIORITY(HK_BOARD_UART_RX_IRQ) = HK_MPS2_PRIORITY_UART;
    HK_NVIC_PRIORITY(HK_BOARD_UART_TX_IRQ) = HK_MPS2_PRIORITY_UART;
    HK_NVIC_ISER(HK_BOARD_UART_RX_IRQ) = HK_NVIC_BIT(HK_BOARD_UART_RX_IRQ);
    HK_NVIC_ISER(HK_BOARD_UART_TX_IRQ) = HK_NVIC_BIT(HK_BOARD_UART_TX_IRQ);
}

void hk_uart_rx_isr(void) {
    HK_UART_INTCLEAR = HK_UART_INT_RX;
    while ((HK_UART_STATE & HK_UART_STATE_RX_FULL) != 0UL) {
        const uint8_t byte = (uint8_t)HK_UART_DATA;
        if (uart.rx_in - uart.rx_out == HK_UART_RX_BYTES) {
            continue; /* no room: the frame's check fails and the link counts it */
        }
        uart.rx[uart.rx_in % HK_UART_RX_BYTES] = byte;
        publish();
        uart.rx_in = uart.rx_in + 1U;
    }
    HK_UART_STATE = HK_UART_STATE_RX_OVERRUN; /* write one to clear; a lost byte costs its frame, which is counted */
}

void hk_uart_tx_isr(void) {
    HK_UART_INTCLEAR = HK_UART_INT_TX;
    while (uart.tx_out != uart.tx_in && (HK_UART_STATE & HK_UART_STATE_TX_FULL) == 0UL) {
        const uint8_t byte = uart.tx[uart.tx_out % HK_UART_TX_BYTES];
        uart.tx_out = uart.tx_out + 1U;
        HK_UART_DATA = byte;
    }
}

uint32_t hk_port_uart_read(uint8_t *data, uint32_t size) {
    uint32_t n = uart.rx_in - uart.rx_out;
    if (n > size) {
        n = size;
    }
    for (uint32_t i = 0U; i < n; i++) {
        data[i] = uart.rx[(uart.rx_out + i) % HK_UART_RX_BYTES];
    }
    publish();
    uart.rx_out = uart.rx_out + n;
    return n;
}

uint32_t hk_port_uart_write(const uint8_t *data, uint32_t size) {
    uint32_t n = HK_UART_TX_BYTES - (uart.tx_in - uart.tx_out);
    if (n > size) {
        n = size;
    }
    for (uint32_t i = 0U; i < n; i++) {
        uart.tx[(uart.tx_in + i) % HK_UART_TX_BYTES] = data[i];
    }
    publish();
    uart.tx_in = uart.tx_in + n;
    HK_NVIC_ISPR(HK_BOARD_UART_TX_IRQ) = HK_NVIC_BIT(HK_BOARD_UART_TX_IRQ); /* the handler starts an idle line */
    return n;
}

void hk_uart_flush(void) {
    while (uart.tx_out != uart.tx_in) {
        hk_uart_tx_isr(); /* interrupts may be off; if not, both drain the same ring one after the other */
    }
    while ((HK_UART_STATE & HK_UART_STATE_TX_FULL) != 0UL) {
    }
}

void hk_uart_panic_write(const char *text) {
    HK_UART_CTRL = HK_UART_CTRL_RUN;
    for (; *text != '\0'; text++) {
        while ((HK_UART_STATE & HK_UART_STATE_TX_FULL) != 0UL) {
        }
        HK_UART_DATA = (uint8_t)*text;
    }
}
