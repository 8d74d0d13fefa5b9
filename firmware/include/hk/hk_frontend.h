/**
 * @file  hk_frontend.h
 * @brief The classifier's ear: samples at 48 kHz to log-mel frames, in integers.
 *
 * Three all-pass branches decimate to 16 kHz. Every 512 samples a frame is windowed, scaled up to full use of its word
 * and transformed; 40 mel bands are gathered and taken to a base-2 logarithm. No noise suppression and no gain control:
 * steady noise is what the classifier has to hear.
 *
 * Numbers   Samples Q1.31; logarithms of power in 1/256 octave; features int8 in 1/8 octave.
 * Context   Background. No allocation, cannot fail. hk_frontend_step works in slices: the longest is one complex FFT of
 *           256 points.
 * Budget    3 % of a Cortex-M4 at 168 MHz: hushkit network frontend
 * Twin      models/hushkit_models/classifier/frontend.py, equal bit for bit
 */
#ifndef HK_FRONTEND_H
#define HK_FRONTEND_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int8_t, int16_t, int32_t, uint32_t, uint64_t */

#define HK_FRONTEND_DECIMATION 3U
#define HK_FRONTEND_FRAME      512U /* samples at 16 kHz: 32 ms */
#define HK_FRONTEND_MELS       40U
#define HK_FRONTEND_FRAMES     96U /* the network's window: 3.07 s */

typedef struct {
    int32_t branches[HK_FRONTEND_DECIMATION][3]; /* last input, last of either all-pass */
    int32_t triple[HK_FRONTEND_DECIMATION];      /* samples of an output that is not complete */
    uint32_t n_triple;
    int32_t frame[HK_FRONTEND_FRAME]; /* being filled */
    uint32_t n_frame;
    int32_t work[HK_FRONTEND_FRAME + 2U]; /* spectrum, then powers: two words a bin */
    uint32_t headroom;                    /* bits the frame was scaled up by */
    uint32_t stage;                       /* next slice of the frame in work; 0: none waits */
    uint32_t frames;                      /* finished since start */
    uint64_t power_q48;                   /* sum of squares of the frame in work, 2^-48 of full scale */
    int16_t log_mel[HK_FRONTEND_MELS];    /* of the last finished frame */
} hk_frontend_t;

/** Clear everything. */
void hk_frontend_init(hk_frontend_t *f);

/** Take n samples at 48 kHz, any n. A frame that fills is taken into work; its slices are due before the next. */
void hk_frontend_push(hk_frontend_t *f, const int32_t *samples, uint32_t n);

/** One slice. @return true when it finished a frame: log_mel and power_q48 are its. */
bool hk_frontend_step(hk_frontend_t *f);

/** Whether a slice waits. */
static inline bool hk_frontend_waits(const hk_frontend_t *f) {
    return f->stage != 0U;
}

/**
 * Features of rows of a window: logarithms relative to the window's mean, so that level is no cue.
 * @param log_mel n logarithms
 * @param mean    mean of the whole window's, rounded toward minus infinity: hk_frontend_mean
 */
void hk_frontend_features(const int16_t *log_mel, uint32_t n, int32_t mean, int8_t *features);

/** Mean of n logarithms whose sum this is. */
int32_t hk_frontend_mean(int32_t sum, uint32_t n);

#endif /* HK_FRONTEND_H */
