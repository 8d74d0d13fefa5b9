/**
 * @file  host_path.c
 * @brief One ear's audio path and controller behind plain functions, for the comparison with their integer twins.
 *
 * Context   Compiled by hushkit_codegen.host_kernels for the machine the tests run on; not part of any firmware.
 */
#include "hk_audio.h"

#include "hk/hk_kernels.h" /* hk_kernels_reset */
#include <string.h>        /* memcpy */

static hk_audio_ear_t audio;
static hk_audio_page_t page;
static hk_record_t record;

int32_t host_path_init(void) {
    hk_kernels_reset(0U);
    hk_audio_init(&audio, &hk_design);
    return (int32_t)hk_control_ops()->init(&hk_design);
}

void host_path_aim(int32_t anti_q30, int32_t transparency_q30, int32_t mute) {
    const hk_audio_request_t request = {.anti_q30 = anti_q30, .transparency_q30 = transparency_q30, .mute = mute != 0};
    hk_audio_aim(&audio, &hk_design, &request);
}

/* One update block: in holds reference, error and programme, out receives reference, error, anti, played, other, out.
 */
void host_path_run(const int32_t (*in)[HK_CONFIG_UPDATE_BLOCK], int32_t (*out)[HK_CONFIG_UPDATE_BLOCK]) {
    for (uint32_t at = 0U; at < HK_CONFIG_UPDATE_BLOCK; at += HK_CONFIG_BLOCK) {
        for (uint32_t input = 0U; input < HK_AUDIO_IN_COUNT; input++) {
            memcpy(page.in[0][input], &in[input][at], HK_CONFIG_BLOCK * sizeof(int32_t));
        }
        hk_audio_run(&audio, 0U, &page, hk_control_ops(), &record, at);
        memcpy(&out[5][at], page.out[0], HK_CONFIG_BLOCK * sizeof(int32_t));
    }
    const int32_t *signals[5] = {record.reference, record.error, record.anti, record.played, record.other};
    for (uint32_t i = 0U; i < 5U; i++) {
        memcpy(out[i], signals[i], sizeof record.reference);
    }
}

void host_path_update(const int32_t *reference, const int32_t *error, int32_t target, int32_t adapt,
                      uint32_t trust_q16) {
    const hk_control_input_t input = {
        .reference = reference, .error = error, .target = target, .adapt = adapt != 0, .trust_q16 = trust_q16};
    for (uint32_t index = 0U; index < hk_control_ops()->slices; index++) {
        hk_control_ops()->slice(0U, index, &input);
    }
}

void host_path_commit(void) {
    hk_control_ops()->commit(0U);
    hk_control_ops()->hand_over(0U, false);
}
