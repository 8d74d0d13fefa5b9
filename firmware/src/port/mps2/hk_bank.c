/**
 * @file  hk_bank.c
 * @brief Banks for downloaded networks, in the machine's main memory: it survives a reset, as flash would, but not
 * QEMU.
 *
 * Writes are held against what flash can do: only erased bytes may be written.
 */
#include "hk/hk_port.h"
#include <string.h> /* memcmp, memcpy, memset */

#define BANK_BYTES  0x30000UL  /* 192 KiB: a network of 100 KB of weights with room for the next one */
#define BANK_OFFSET 0x800000UL /* past everything that the bench exchanges */

static uint8_t *bank_at(uint32_t bank) {
    return (uint8_t *)(HK_BOARD_PAGE_BASE + BANK_OFFSET + bank * BANK_BYTES);
}

uint32_t hk_port_bank_bytes(void) {
    return BANK_BYTES;
}

const uint8_t *hk_port_bank(uint32_t bank) {
    return bank_at(bank);
}

bool hk_port_bank_erase(uint32_t bank) {
    (void)memset(bank_at(bank), 0xFF, BANK_BYTES);
    return true;
}

bool hk_port_bank_write(uint32_t bank, uint32_t offset, const uint8_t *data, uint32_t n) {
    uint8_t *const at = bank_at(bank) + offset;
    for (uint32_t k = 0U; k < n; k++) {
        at[k] &= data[k];
    }
    return memcmp(at, data, n) == 0;
}
