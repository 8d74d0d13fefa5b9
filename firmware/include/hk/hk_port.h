/**
 * @file  hk_port.h
 * @brief What a port provides. The only functions that know registers; everything above is the same on every target.
 *
 * Ports   firmware/src/port/<target>; `host` is a shared library without interrupts.
 * Context Thread mode unless a function says otherwise.
 */
#ifndef HK_PORT_H
#define HK_PORT_H

#include "hk/hk_audio_page.h" /* hk_audio_page_t */
#include <stdbool.h>          /* bool */
#include <stdint.h>           /* uint8_t, uint32_t */

/** Digest of the image, unique per build (the linker's build id, or a digest the build writes). Never all zero. */
#define HK_BUILD_ID_BYTES 20U
extern const uint8_t hk_build_id[HK_BUILD_ID_BYTES];

/* ---- audio ---------------------------------------------------------------------------------------------------- */

/** The page the audio interrupt exchanges samples on. Never null. */
hk_audio_page_t *hk_port_audio_page(void);

/** Exchange one block: the converters, or a plant, take page->out and fill page->in. Returns when `in` is valid.
 *  A real, non-inlined function under this name on every target: the bench hooks it by its symbol. */
void hk_port_audio_sync(void);

/** Raise the audio interrupt, whose handler calls hk_app_audio_isr(). On return it has run. */
void hk_port_pend_audio_irq(void);

/* ---- core ----------------------------------------------------------------------------------------------------- */

/** Mask the audio interrupt and everything below it. Nests: give the returned value to the matching exit. */
uint32_t hk_port_critical_enter(void);
void hk_port_critical_exit(uint32_t saved);

/** Whether the cycle counter counts. An emulator's often reads 0 forever; then no cycle figure is ever reported. */
bool hk_port_cycles_available(void);

/** Free-running cycle counter, wraps. Any context. Meaningless unless hk_port_cycles_available(). */
uint32_t hk_port_cycles(void);

/** Milliseconds since boot, wraps after 49 days. Any context. */
uint32_t hk_port_millis(void);

/** Wait for an interrupt, or return at once. Called when the thread has nothing to do. */
void hk_port_idle(void);

/** Restart the core. Pending UART output is sent first. */
_Noreturn void hk_port_reset(void);

/* ---- UART ----------------------------------------------------------------------------------------------------- */

/** Take up to `size` received bytes. @return bytes taken, 0 when none wait. Never blocks. */
uint32_t hk_port_uart_read(uint8_t *data, uint32_t size);

/** Queue up to `size` bytes for sending. @return bytes taken: less than `size` when the queue is full. Never blocks. */
uint32_t hk_port_uart_write(const uint8_t *data, uint32_t size);

/* ---- banks: downloaded networks ------------------------------------------------------------------------------- */

#define HK_PORT_BANKS 2U

/** Bytes of each bank, a multiple of 4; 0: the port has none, and nothing below is called. */
uint32_t hk_port_bank_bytes(void);

/** Where a bank's bytes can be read, 4-byte aligned. They keep their contents without power. */
const uint8_t *hk_port_bank(uint32_t bank);

/** Make every byte of a bank 0xFF. @return Whether it did. */
bool hk_port_bank_erase(uint32_t bank);

/** Write n erased bytes; n and offset are multiples of 4. Power may go at any byte. @return Whether they read so. */
bool hk_port_bank_write(uint32_t bank, uint32_t offset, const uint8_t *data, uint32_t n);

/* ---- health --------------------------------------------------------------------------------------------------- */

#define HK_FAULT_MAGIC 0x46504B48UL /* "HKPF", little-endian */

/** The last fault, kept over a restart in memory that start-up does not clear. */
typedef struct {
    uint32_t magic;   /* HK_FAULT_MAGIC when the record is valid */
    uint32_t count;   /* faults since power-on */
    uint32_t kind;    /* exception number; HK_FAULT_STACK, HK_FAULT_ASSERT */
    uint32_t pc;      /* stacked program counter */
    uint32_t lr;      /* stacked link register */
    uint32_t status;  /* CFSR, or the line of a failed assertion */
    uint32_t address; /* fault address where the core knows it, else 0 */
} hk_fault_record_t;

#define HK_FAULT_STACK  0x100UL /* the stack guard was overwritten */
#define HK_FAULT_ASSERT 0x101UL /* a broken invariant */

/** The record, or null when there has been no fault since power-on. */
const hk_fault_record_t *hk_port_fault(void);

/** Forget the record. */
void hk_port_fault_clear(void);

/** Record a broken invariant and restart. Any context. */
_Noreturn void hk_port_assert_failed(uint32_t line);

/** Assert an invariant. For our own mistakes only: input from outside is checked and returned as status. */
#define HK_ASSERT(condition) ((condition) ? (void)0 : hk_port_assert_failed((uint32_t)__LINE__))

/** Deepest use of the main stack since boot, in bytes, and its size. The host has neither and says 0. */
uint32_t hk_port_stack_used(void);
uint32_t hk_port_stack_size(void);

#endif /* HK_PORT_H */
