/**
 * @file  hk_host.c
 * @brief Port of the machine that builds: no interrupts, no UART, a function in place of the converters.
 */
#include "hk/hk_host.h"

#include "hk/hk_design.h" /* hk_design */
#include "hk/hk_port.h"
#include <stdlib.h> /* abort, _Exit */
#include <string.h> /* memcpy, memset */

static hk_audio_page_t page;
static hk_host_sync_t plant;
static void *plant_context;
static uint64_t stalled; /* exchanges without background work to go */
static uint32_t uptime_samples;
static uint32_t banks[HK_PORT_BANKS][0x30000U / 4U]; /* as large as the boards' */

/* ---- what the firmware asks of a port -----------------------------------------------------------------------------
 */

hk_audio_page_t *hk_port_audio_page(void) {
    return &page;
}

void hk_port_audio_sync(void) {
    if (plant != 0) {
        plant(&page, plant_context);
    }
}

void hk_port_pend_audio_irq(void) {
    hk_app_audio_isr();
    uptime_samples += page.block;
}

uint32_t hk_port_critical_enter(void) {
    return 0U;
}

void hk_port_critical_exit(uint32_t saved) {
    (void)saved;
}

bool hk_port_cycles_available(void) {
    return false;
}

uint32_t hk_port_cycles(void) {
    return 0U;
}

uint32_t hk_port_millis(void) {
    return (uint32_t)(((uint64_t)uptime_samples * 1000U) / page.rate_hz);
}

void hk_port_idle(void) {}

uint32_t hk_port_bank_bytes(void) {
    return sizeof banks[0];
}

const uint8_t *hk_port_bank(uint32_t bank) {
    return (const uint8_t *)banks[bank];
}

bool hk_port_bank_erase(uint32_t bank) {
    (void)memset(banks[bank], 0xFF, sizeof banks[bank]);
    return true;
}

bool hk_port_bank_write(uint32_t bank, uint32_t offset, const uint8_t *data, uint32_t n) {
    (void)memcpy((uint8_t *)banks[bank] + offset, data, n);
    return true;
}

_Noreturn void hk_port_reset(void) {
    _Exit(EXIT_SUCCESS);
}

uint32_t hk_port_uart_read(uint8_t *data, uint32_t size) {
    (void)data;
    (void)size;
    return 0U;
}

uint32_t hk_port_uart_write(const uint8_t *data, uint32_t size) {
    (void)data;
    return size;
}

const hk_fault_record_t *hk_port_fault(void) {
    return 0;
}

void hk_port_fault_clear(void) {}

_Noreturn void hk_port_assert_failed(uint32_t line) {
    (void)line;
    abort();
}

uint32_t hk_port_stack_used(void) {
    return 0U;
}

uint32_t hk_port_stack_size(void) {
    return 0U;
}

/* ---- for the caller -----------------------------------------------------------------------------------------------
 */

int32_t hk_host_init(void) {
    memset(&page, 0, sizeof page);
    plant = 0;
    plant_context = 0;
    stalled = 0U;
    uptime_samples = 0U;
    return hk_app_init();
}

hk_audio_page_t *hk_host_page(void) {
    return &page;
}

void hk_host_set_sync(hk_host_sync_t sync, void *context) {
    plant = sync;
    plant_context = context;
    page.abi = HK_AUDIO_PAGE_ABI;
    page.magic = HK_AUDIO_PAGE_MAGIC;
}

/* An exchange without its background share: hk_app_exchange by hand. */
static bool exchange_stalled(void) {
    if (page.magic != HK_AUDIO_PAGE_MAGIC || page.stop != 0U) {
        return false;
    }
    stalled--;
    page.sequence++;
    hk_port_audio_sync();
    hk_port_pend_audio_irq();
    return true;
}

uint64_t hk_host_run(uint64_t n_exchanges) {
    uint64_t done = 0U;
    while (done < n_exchanges && (stalled > 0U ? exchange_stalled() : hk_app_exchange())) {
        done++;
    }
    return done;
}

void hk_host_stall_background(uint64_t n_exchanges) {
    stalled = n_exchanges;
}

int32_t hk_host_configure(uint32_t mode, uint32_t intensity, uint32_t telemetry_period_ms) {
    if (mode > UINT8_MAX || intensity > UINT16_MAX) {
        return HK_ERR_RANGE;
    }
    const hk_configuration_t configuration = {(uint8_t)mode, (uint16_t)intensity, telemetry_period_ms};
    return hk_app_configure(&configuration);
}

void hk_host_configuration(hk_configuration_t *configuration) {
    hk_app_configuration(configuration);
}

void hk_host_statistics(hk_statistics_t *statistics) {
    hk_app_statistics(statistics);
}

uint32_t hk_host_statistics_size(void) {
    return (uint32_t)sizeof(hk_statistics_t);
}

const uint8_t *hk_host_build_id(void) {
    return hk_build_id;
}

const char *hk_host_spec_name(void) {
    return hk_design.spec_name;
}
