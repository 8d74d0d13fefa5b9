/**
 * @file  hk_main.c
 * @brief The headset's main loop on a core with interrupts.
 */
#include "hk_mps2.h"

#include "hk/hk_app.h"   /* hk_app_init, hk_app_exchange */
#include "hk/hk_image.h" /* hk_image_hash */
#include "hk/hk_link.h"  /* hk_link_init, hk_link_poll */
#include "hk/hk_port.h"  /* HK_ASSERT, hk_port_idle */

int main(void) {
    hk_port_init();
    const bool with_audio = !hk_fault_hold_audio();
    const hk_status_t status = hk_app_init();
    HK_ASSERT(status == HK_OK);
    uint8_t hash[HK_IMAGE_HASH_BYTES];
    hk_image_hash(hk_slot, (uint32_t)(hk_slot_end - hk_slot), (uint32_t)(hk_image_end - hk_image_start), hash);
    hk_link_init(hash);
    for (;;) {
        const bool exchanged = with_audio && hk_app_exchange();
        const bool talked = hk_link_poll(hk_port_millis());
        hk_fault_settle(hk_port_millis());
        if (!exchanged && !talked) {
            hk_port_idle();
        }
    }
}
