/**
 * @file  hk_link.c
 * @brief The serial line between the UART and the two protocols on it.
 *
 * One thing is sent at a time, a response or a frame, from a buffer that the UART empties at its pace; requests wait
 * in the UART's receive buffer meanwhile. So nothing is ever sent in part, and a slow line slows telemetry, not audio.
 */
#include "hk/hk_link.h"

#include "hk/hk_design.h"    /* hk_design */
#include "hk/hk_port.h"      /* hk_build_id, hk_port_uart_read, hk_port_reset */
#include "hk/hk_smp.h"       /* hk_smp_receive, hk_smp_handle */
#include "hk/hk_telemetry.h" /* hk_telemetry_next */

#include <string.h> /* memcpy, strlen */

#define HK_LINK_ID_BYTES       8U
#define HK_LINK_BYTES_PER_POLL 32U /* bounds a poll between two audio blocks */

static struct {
    hk_smp_receiver_t receiver;
    uint8_t response[HK_SMP_MAX_PACKET];
    uint8_t out[HK_SMP_MAX_LINES];
    uint32_t n_out;
    uint32_t at_out;
} link_state;

static void say(const char *text) {
    const uint32_t n = (uint32_t)strlen(text);
    memcpy(link_state.out + link_state.n_out, text, n);
    link_state.n_out += n;
}

/* One line of text for a person who watches; protocols skip what is not theirs. */
static void greet(void) {
    static const char hex[] = "0123456789abcdef";
    char id[2U * HK_LINK_ID_BYTES + 1U] = "";
    for (uint32_t i = 0U; i < HK_LINK_ID_BYTES; i++) {
        id[2U * i] = hex[hk_build_id[i] >> 4];
        id[2U * i + 1U] = hex[hk_build_id[i] & 15U];
    }
    say("\nhushkit ");
    say(HK_BUILD_VERSION);
    say(" ");
    say(hk_design.spec_name); /* at most 63 bytes: the generator checks */
    say(" build ");
    say(id);
    say("\n");
}

void hk_link_init(const uint8_t *hash) {
    hk_smp_set_image_hash(hash);
    hk_telemetry_init();
    greet();
}

uint32_t hk_link_line_errors(void) {
    return link_state.receiver.errors;
}

static bool send(void) {
    if (link_state.at_out == link_state.n_out) {
        return false;
    }
    link_state.at_out += hk_port_uart_write(link_state.out + link_state.at_out, link_state.n_out - link_state.at_out);
    return true;
}

static void queue(uint32_t n) {
    link_state.n_out = n;
    link_state.at_out = 0U;
    (void)send();
}

static bool receive(void) {
    uint8_t byte;
    uint32_t n = 0U;
    while (n < HK_LINK_BYTES_PER_POLL && hk_port_uart_read(&byte, 1U) != 0U) {
        n++;
        const uint32_t n_packet = hk_smp_receive(&link_state.receiver, byte);
        if (n_packet == 0U) {
            continue;
        }
        const uint32_t n_response = hk_smp_handle(link_state.receiver.raw + 2U, n_packet, link_state.response);
        if (n_response != 0U) {
            queue(hk_smp_frame(link_state.response, n_response, link_state.out));
        }
        break;
    }
    return n != 0U;
}

bool hk_link_poll(uint32_t now_ms) {
    if (send()) {
        return true;
    }
    if (hk_smp_reset_requested()) {
        hk_port_reset(); /* its response has left this buffer; the port sends what waits in its own */
    }
    if (receive()) {
        return true;
    }
    const uint32_t n = hk_telemetry_next(now_ms, link_state.out);
    if (n == 0U) {
        return false;
    }
    queue(n);
    return true;
}
