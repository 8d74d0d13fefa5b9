/**
 * @file  hk_control.c
 * @brief Choice of the controller, and the one that does nothing.
 */
#include "hk/hk_control.h"

#if HK_CONFIG_ALGORITHM == HK_ALGORITHM_FXNLMS

#include "hk/hk_fxnlms.h" /* hk_fxnlms_ops */

const hk_control_ops_t *hk_control_ops(void) {
    return &hk_fxnlms_ops;
}

#elif HK_CONFIG_ALGORITHM == HK_ALGORITHM_WARPED_LS

#include "hk/hk_warped_ls.h" /* hk_warped_ls_ops */

const hk_control_ops_t *hk_control_ops(void) {
    return &hk_warped_ls_ops;
}

#elif HK_CONFIG_ALGORITHM == HK_ALGORITHM_HYBRID

#include "hk/hk_hybrid.h" /* hk_hybrid_ops */

const hk_control_ops_t *hk_control_ops(void) {
    return &hk_hybrid_ops;
}

#elif HK_CONFIG_ALGORITHM == HK_ALGORITHM_FDAF

#include "hk/hk_fdaf.h" /* hk_fdaf_ops */

const hk_control_ops_t *hk_control_ops(void) {
    return &hk_fdaf_ops;
}

#elif HK_CONFIG_ALGORITHM == HK_ALGORITHM_WARPED_LS_TRACKING

#include "hk/hk_tracker.h" /* hk_tracker_ops */

const hk_control_ops_t *hk_control_ops(void) {
    return &hk_tracker_ops;
}

#elif HK_CONFIG_ALGORITHM == HK_ALGORITHM_NONE

#include <string.h> /* memset */

static hk_status_t init(const hk_design_t *design) {
    (void)design;
    return HK_OK;
}

static void filter(uint32_t ear, const int32_t *x, int32_t *y) {
    (void)ear;
    (void)x;
    memset(y, 0, HK_CONFIG_BLOCK * sizeof y[0]);
}

static void nothing(uint32_t ear) {
    (void)ear;
}

static void hand_over(uint32_t ear, bool gap) {
    (void)ear;
    (void)gap;
}

static void slice(uint32_t ear, uint32_t index, const hk_control_input_t *input) {
    (void)ear;
    (void)index;
    (void)input;
}

static void stats(uint32_t ear, hk_control_stats_t *out) {
    (void)ear;
    memset(out, 0, sizeof *out);
}

static const hk_control_ops_t none = {
    .name = "none",
    .init = init,
    .filter = filter,
    .commit = nothing,
    .reset = nothing,
    .hand_over = hand_over,
    .slice = slice,
    .stats = stats,
};

const hk_control_ops_t *hk_control_ops(void) {
    return &none;
}

#else
#error "hk_config.h names an algorithm this firmware does not have; expected one of HK_ALGORITHM_... in hk_design.h"
#endif
