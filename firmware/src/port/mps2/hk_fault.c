/**
 * @file  hk_fault.c
 * @brief Fault handler: what happened goes to the serial line as text and to a record that survives the reset.
 */
#include "hk_cortexm.h"
#include "hk_mps2.h"

#include "hk/hk_port.h" /* hk_fault_record_t, hk_build_id */

#include <stddef.h> /* NULL, size_t */

#define HK_FAULT_STACK_WORDS    16U
#define HK_FAULT_FRAME_WORDS    8U  /* r0-r3, r12, lr, pc, psr */
#define HK_FAULT_FPU_WORDS      18U /* s0-s15, fpscr, padding: when EXC_RETURN's bit 4 is 0 */
#define HK_FAULT_CFSR_MSTKERR   (1UL << 4)
#define HK_FAULT_CFSR_STKERR    (1UL << 12)
#define HK_FAULT_CFSR_MMARVALID (1UL << 7)
#define HK_FAULT_CFSR_BFARVALID (1UL << 15)
#define HK_FAULT_CFSR_STKOF     (1UL << 20) /* Armv8-M: stack limit */

/* Registers and stack at the fault, as the core stacked them: the report on the line. */
typedef struct {
    uint32_t exception; /* IPSR: 3 hard, 4 memory, 5 bus, 6 usage, 7 secure */
    uint32_t r[13];     /* r0..r12 */
    uint32_t sp;        /* before the exception */
    uint32_t lr, pc, psr, exc_return;
    uint32_t cfsr, hfsr, mmfar, bfar;
    bool overflow; /* the stack ran over its end: r0..r3, r12, lr, pc and psr are unknown (0) */
    uint32_t n_stack;
    uint32_t stack[HK_FAULT_STACK_WORDS]; /* from sp upwards */
} hk_fault_t;

static struct {
    hk_fault_record_t last;
    uint32_t in_row; /* faults since the last run of HK_FAULT_SETTLE_MS */
    uint32_t check;
} retained __attribute__((section(".noinit")));

void hk_fault_handle(uint32_t exc_return, const uint32_t *frame, const uint32_t *callee_saved);

static uint32_t check_of_retained(void) {
    const uint8_t *byte = (const uint8_t *)&retained;
    uint32_t hash = 2166136261UL; /* FNV-1a */
    for (size_t i = 0U; i < offsetof(__typeof__(retained), check); i++) {
        hash = (hash ^ byte[i]) * 16777619UL;
    }
    return hash;
}

void hk_fault_init(void) {
    if (retained.check != check_of_retained()) { /* power-on */
        hk_port_fault_clear();
    }
    HK_SCB_CCR |= HK_SCB_CCR_STKALIGN | HK_SCB_CCR_DIV_0_TRP;
    HK_SCB_SHCSR |= HK_SCB_SHCSR_MEMFAULTENA | HK_SCB_SHCSR_BUSFAULTENA | HK_SCB_SHCSR_USGFAULTENA;
#if __ARM_ARCH >= 8
    HK_SCB_SHCSR |= HK_SCB_SHCSR_SECUREFAULTENA;
#endif
}

const hk_fault_record_t *hk_port_fault(void) {
    return retained.last.magic == HK_FAULT_MAGIC ? &retained.last : NULL;
}

void hk_port_fault_clear(void) {
    retained = (__typeof__(retained)){0};
    retained.check = check_of_retained();
}

bool hk_fault_hold_audio(void) {
    return retained.in_row >= HK_FAULT_HOLD_COUNT;
}

void hk_fault_settle(uint32_t uptime_ms) {
    if (uptime_ms >= HK_FAULT_SETTLE_MS && retained.in_row != 0U && !hk_fault_hold_audio()) {
        retained.in_row = 0U;
        retained.check = check_of_retained();
    }
}

static _Noreturn void record_and_reset(uint32_t kind, uint32_t pc, uint32_t lr, uint32_t status, uint32_t address) {
    retained.last = (hk_fault_record_t){.magic = HK_FAULT_MAGIC,
                                        .count = retained.last.count + 1U,
                                        .kind = kind,
                                        .pc = pc,
                                        .lr = lr,
                                        .status = status,
                                        .address = address};
    retained.in_row++;
    retained.check = check_of_retained();
    if ((HK_DHCSR & HK_DHCSR_C_DEBUGEN) != 0UL) {
        __asm volatile("bkpt 0");
    }
    hk_port_reset();
}

static void write_hex(const char *name, uint32_t value) {
    char text[11] = " 00000000";
    for (uint32_t i = 0U; i < 8U; i++) {
        text[1U + i] = "0123456789abcdef"[(value >> (28U - 4U * i)) & 0xFUL];
    }
    hk_uart_panic_write(name);
    hk_uart_panic_write(text);
}

static void write_head(void) {
    hk_uart_panic_write("\n\n*** hushkit ");
    hk_uart_panic_write(HK_BUILD_VERSION);
}

static const char *name_of(uint32_t exception) {
    static const char *const names[] = {[2] = "nmi",       [3] = "hard fault",  [4] = "memory fault",
                                        [5] = "bus fault", [6] = "usage fault", [7] = "secure fault"};
    return exception < sizeof names / sizeof names[0] && names[exception] != NULL ? names[exception]
                                                                                  : "unexpected interrupt";
}

static void write_report(const hk_fault_t *fault) {
    static const char *const names[] = {"\nr0 ", " r1 ",  " r2 ", " r3 ", "\nr4 ", " r5 ", " r6 ",
                                        " r7 ",  "\nr8 ", " r9 ", " r10", " r11",  "\nr12"};
    write_head();
    hk_uart_panic_write(" fault: ");
    hk_uart_panic_write(name_of(fault->exception));
    hk_uart_panic_write(fault->overflow ? ", stack overflow\nbuild" : "\nbuild");
    for (uint32_t i = 0U; i < 8U; i += 4U) {
        const uint8_t *id = &hk_build_id[i];
        write_hex("", (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3]);
    }
    for (uint32_t i = 0U; i < 13U; i++) {
        write_hex(names[i], fault->r[i]);
    }
    write_hex(" sp ", fault->sp);
    write_hex(" lr ", fault->lr);
    write_hex(" pc ", fault->pc);
    write_hex("\npsr", fault->psr);
    write_hex(" exc", fault->exc_return);
    write_hex(" ipsr", fault->exception);
    write_hex("\ncfsr", fault->cfsr);
    write_hex(" hfsr", fault->hfsr);
    write_hex(" mmfar", fault->mmfar);
    write_hex(" bfar", fault->bfar);
    hk_uart_panic_write("\nstack");
    for (uint32_t i = 0U; i < fault->n_stack; i++) {
        write_hex(i % 8U == 0U ? "\n" : "", fault->stack[i]);
    }
    hk_uart_panic_write("\n*** end of fault, resetting\n");
}

/* A push below the stack's end hits the guard itself, with a frame that still fits above it. */
static bool is_guard_hit(const hk_fault_t *fault) {
    return (fault->cfsr & HK_FAULT_CFSR_MMARVALID) != 0UL && fault->mmfar >= (uint32_t)hk_stack_guard &&
           fault->mmfar < (uint32_t)hk_stack_limit;
}

static void copy_frame(hk_fault_t *fault, const uint32_t *frame) {
    for (uint32_t i = 0U; i < 4U; i++) {
        fault->r[i] = frame[i];
    }
    fault->r[12] = frame[4];
    fault->lr = frame[5];
    fault->pc = frame[6];
    fault->psr = frame[7];
    const uint32_t *sp = frame + HK_FAULT_FRAME_WORDS;
    if ((fault->exc_return & (1UL << 4)) == 0UL) {
        sp += HK_FAULT_FPU_WORDS;
    }
    if ((fault->psr & (1UL << 9)) != 0UL) {
        sp++; /* the core aligned the frame to eight bytes */
    }
    fault->sp = (uint32_t)sp;
    while (sp < hk_stack_top && fault->n_stack < HK_FAULT_STACK_WORDS) {
        fault->stack[fault->n_stack++] = *sp++;
    }
}

static uint32_t address_of(const hk_fault_t *fault) {
    if ((fault->cfsr & HK_FAULT_CFSR_MMARVALID) != 0UL) {
        return fault->mmfar;
    }
    return (fault->cfsr & HK_FAULT_CFSR_BFARVALID) != 0UL ? fault->bfar : 0UL;
}

__attribute__((used)) void hk_fault_handle(uint32_t exc_return, const uint32_t *frame, const uint32_t *callee_saved) {
    hk_fault_t fault = {.exc_return = exc_return, .sp = (uint32_t)frame};
    __asm volatile("mrs %0, ipsr" : "=r"(fault.exception));
    fault.cfsr = HK_SCB_CFSR;
    fault.hfsr = HK_SCB_HFSR;
    fault.mmfar = HK_SCB_MMFAR;
    fault.bfar = HK_SCB_BFAR;
    for (uint32_t i = 0U; i < 8U; i++) {
        fault.r[4U + i] = callee_saved[i];
    }
    const uint32_t not_stacked = HK_FAULT_CFSR_MSTKERR | HK_FAULT_CFSR_STKERR | HK_FAULT_CFSR_STKOF;
    const bool readable = frame >= hk_stack_limit && frame + HK_FAULT_FRAME_WORDS <= hk_stack_top;
    fault.overflow = !readable || (fault.cfsr & not_stacked) != 0UL || is_guard_hit(&fault);
    if (readable && (fault.cfsr & not_stacked) == 0UL) {
        copy_frame(&fault, frame);
    }
    write_report(&fault);
    record_and_reset(fault.overflow ? HK_FAULT_STACK : fault.exception, fault.pc, fault.lr, fault.cfsr,
                     address_of(&fault));
}

/* The stack may be spent, so this takes the fault handler's own before it touches memory. */
__attribute__((naked)) void hk_fault_entry(void) {
    __asm volatile("cpsid i\n"
                   "mov r0, lr\n"
                   "mrs r1, msp\n"
                   "ldr r2, =hk_fault_stack_top\n"
                   "mov sp, r2\n"
                   "push {r4-r11}\n"
                   "mov r2, sp\n"
                   "bl hk_fault_handle\n"
                   "b .\n"
                   ".ltorg\n");
}

void hk_port_assert_failed(uint32_t line) {
    __asm volatile("cpsid i");
    const uint32_t back = (uint32_t)__builtin_return_address(0);
    const uint32_t caller = (back & ~1UL) - 4UL; /* the call itself: behind it another function may begin */
    write_head();
    hk_uart_panic_write(" broken invariant:");
    write_hex(" caller", caller);
    write_hex(" line", line);
    hk_uart_panic_write("\n*** end of fault, resetting\n");
    record_and_reset(HK_FAULT_ASSERT, caller, back, line, 0UL);
}
