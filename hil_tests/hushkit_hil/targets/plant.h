/**
 * @file  plant.h
 * @brief Acoustic plant of the bench: what the microphones hear while the headset plays.
 *
 * Runs inside QEMU (instruments/lockstep.c) and beside the host target (targets/host.py), the same object code, so that
 * a target and the host see the same bits. One plant file describes a run, one record file holds what was heard.
 *
 * At exchange k (counted from 0) the plant takes out[] of block k-1 and gives in[] of block k:
 *     u[n] = y[n - latency]                      y[n]: output computed from input sample n, as the DAC plays it (24
 * bits) e[n] = d[n] + sum_t S[t] u[n - t]          error microphone, 24 bits x[n] = r[n] + sum_t F[t] u[n - t]
 * reference microphone, 24 bits latency is the whole delay from the reference microphone's sample to the driver's
 * input, in samples, buffering included; the firmware's block never exceeds it. S and F may change at given samples (a
 * headset that slips).
 *
 * Numbers   Signals and taps float32 in full-scale units; FIR sums run in one fixed order of 16 partial sums, so that
 * every machine and optimisation level gives the same bits (compile with -ffp-contract=off, never -ffast-math).
 *
 * Plant file (little-endian): hk_plant_header_t, then
 *     uint32_t start[n_segments]                 first sample of each segment, ascending, start[0] = 0
 *     uint32_t category[n_segments]              what hk_audio_page_t says of noise categories
 *     float    secondary[n_segments][n_ears][secondary_taps]
 *     float    feedback[n_segments][n_ears][feedback_taps]
 *     float    reference[n_ears][n_samples], disturbance[n_ears][n_samples]
 *     int32_t  programme[n_ears][n_samples]      when has_programme
 * Record file: hk_record_header_t, then
 *     int32_t  y[n_ears][n_samples], e[n_ears][n_samples]
 *     uint32_t instructions[n_samples / block], isr_instructions[n_samples / block]     zero where nothing counts
 */
#ifndef HUSHKIT_PLANT_H
#define HUSHKIT_PLANT_H

#include "hk/hk_audio_page.h" /* hk_audio_page_t */
#include <stddef.h>           /* size_t */
#include <stdint.h>

#define HK_PLANT_MAGIC  0x4C504B48UL /* "HKPL" */
#define HK_RECORD_MAGIC 0x43524B48UL /* "HKRC" */
#define HK_PLANT_ABI    2UL

typedef struct {
    uint32_t magic;
    uint32_t abi;
    uint32_t n_ears;
    uint32_t n_samples; /* a multiple of block */
    uint32_t block;
    uint32_t rate_hz;
    uint32_t n_segments;
    uint32_t secondary_taps;
    uint32_t feedback_taps; /* 0: none */
    uint32_t latency;       /* samples, at least block */
    uint32_t has_programme;
    uint32_t loop; /* 1: start again at sample 0 when all is played, for ever */
    uint32_t reserved[4];
} hk_plant_header_t;

typedef enum {
    HK_PLANT_RUNNING = 0,
    HK_PLANT_DONE = 1,      /* every sample was played and heard */
    HK_PLANT_ERR_SHAPE = 2, /* the firmware's ears, block or rate are not the plant's */
    HK_PLANT_ERR_ORDER = 3, /* an exchange was lost or repeated */
} hk_plant_state_t;

typedef struct {
    uint32_t magic;
    uint32_t abi;
    uint32_t state;    /* hk_plant_state_t */
    uint32_t n_ears;   /* as the firmware says */
    uint32_t block;    /* as the firmware says */
    uint32_t rate_hz;  /* as the firmware says */
    uint32_t build_id; /* as the firmware says */
    uint32_t reserved0;
    uint64_t samples;   /* heard so far, over all loops */
    uint64_t exchanges; /* so far */
    uint32_t reserved[4];
} hk_record_header_t;

_Static_assert(sizeof(hk_plant_header_t) == 64, "targets/plant.py shares this layout");
_Static_assert(sizeof(hk_record_header_t) == 64, "targets/plant.py shares this layout");

typedef struct hk_plant hk_plant_t;

/**
 * Open a run.
 * @param plant_file   Plant file; read only.
 * @param record_file  Record file of the right size, zeros after its header; written through a shared mapping.
 * @param why          Receives a static text when the result is NULL.
 */
hk_plant_t *hk_plant_open(const char *plant_file, const char *record_file, const char **why);

/** One exchange. The page's ABI fields are the caller's. @return the state after it. */
hk_plant_state_t hk_plant_exchange(hk_plant_t *plant, hk_audio_page_t *page);

/** Note what the previous exchange cost; no-op before the first and after the last. */
void hk_plant_note_instructions(hk_plant_t *plant, uint32_t exchange, uint32_t instructions, uint32_t isr_instructions);

/** What has been heard so far; lives in the record file. */
const hk_record_header_t *hk_plant_record(const hk_plant_t *plant);

/** The exchange as the host target's audio sync; asks the firmware to park at the end. */
void hk_plant_sync(hk_audio_page_t *page, void *plant);

/** Unmap and free. */
void hk_plant_close(hk_plant_t *plant);

#endif /* HUSHKIT_PLANT_H */
