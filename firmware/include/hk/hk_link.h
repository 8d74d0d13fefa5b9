/**
 * @file  hk_link.h
 * @brief The serial line: SMP server and telemetry, between the UART and the application.
 *
 * Context   Thread. Each poll does a bounded piece of work and never waits.
 */
#ifndef HK_LINK_H
#define HK_LINK_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint32_t */

/** Start the line. hash: of the image that runs, 32 bytes, for image state. */
void hk_link_init(const uint8_t *hash);

/** Move bytes, answer requests, send telemetry. @return whether there was anything to do. */
bool hk_link_poll(uint32_t now_ms);

/** Received lines or packets dropped since start: bad characters, length or check. */
uint32_t hk_link_line_errors(void);

#endif /* HK_LINK_H */
