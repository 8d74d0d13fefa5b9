/**
 * @file  hk_uart.h
 * @brief The serial line's bytes: interrupt driven, buffered both ways.
 *
 * Context   Thread. The receive and transmit interrupts run below the audio interrupt.
 */
#ifndef HK_UART_H
#define HK_UART_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint32_t */

#define HK_UART_RX_BYTES 2048U
#define HK_UART_TX_BYTES 4096U

/** Start the receiver and the transmitter. */
void hk_uart_init(void);

/** Take up to capacity received bytes. @return bytes taken. */
uint32_t hk_uart_read(uint8_t *bytes, uint32_t capacity);

/** Queue n bytes, all or none. @return whether they fit. */
bool hk_uart_write(const uint8_t *bytes, uint32_t n);

/** Room for bytes to send. */
uint32_t hk_uart_room(void);

/** Whether everything queued has left. */
bool hk_uart_idle(void);

/** Received bytes lost for want of room or time. */
uint32_t hk_uart_overruns(void);

#endif /* HK_UART_H */
