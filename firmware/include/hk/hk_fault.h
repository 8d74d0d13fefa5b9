/**
 * @file  hk_fault.h
 * @brief What the last fault left behind: a record that survives the reset after it.
 *
 * A fault is reported as plain text on the serial line, kept here, and answered by a reset. A headset that faults again
 * and again before it has run for HK_FAULT_SETTLE_MS starts with its audio held, so that the line stays reachable.
 */
#ifndef HK_FAULT_H
#define HK_FAULT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

#define HK_FAULT_STACK_WORDS 16U
#define HK_FAULT_HOLD_COUNT  3U     /* faults in a row that hold the audio; one more than a user would call bad luck */
#define HK_FAULT_SETTLE_MS   10000U /* a run this long ends a row of faults */

/** Registers and stack at the fault, as the core stacked them. */
typedef struct {
    uint32_t exception;  /* IPSR of the fault: 3 hard, 4 memory, 5 bus, 6 usage, 7 secure; 0: a broken invariant */
    uint32_t uptime_ms;  /* when */
    uint32_t r[13];      /* r0..r12 */
    uint32_t sp;         /* before the exception */
    uint32_t lr;
    uint32_t pc;
    uint32_t psr;
    uint32_t exc_return;
    uint32_t cfsr;       /* configurable fault status */
    uint32_t hfsr;       /* hard fault status */
    uint32_t mmfar;      /* address of a memory fault, where cfsr says it is valid */
    uint32_t bfar;       /* address of a bus fault, likewise */
    uint32_t overflow;   /* 1: the stack ran over its end; r0..r3, r12, lr, pc and psr are then unknown (0) */
    uint32_t n_stack;    /* words in stack[] */
    uint32_t stack[HK_FAULT_STACK_WORDS]; /* from sp upwards */
} hk_fault_t;

/** The last fault since power-on, or NULL. */
const hk_fault_t *hk_fault_last(void);

/** Faults since power-on. */
uint32_t hk_fault_count(void);

/** Whether faults in a row ask for a start without audio. */
bool hk_fault_hold_audio(void);

/** Tell the record that the firmware has run for uptime_ms. */
void hk_fault_settle(uint32_t uptime_ms);

/** A broken invariant: report like a fault and reset. Does not return. */
_Noreturn void hk_fault_panic(void);

#endif /* HK_FAULT_H */
