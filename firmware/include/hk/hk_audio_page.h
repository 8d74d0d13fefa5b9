/**
 * @file  hk_audio_page.h
 * @brief Audio page: the samples one audio interrupt exchanges with the converters, or with a plant that stands in for
 * them.
 *
 * On QEMU the page lies in the machine's shared RAM (port header). The bench maps the same bytes, fills `in`, and takes
 * `out` each time the guest calls hk_port_audio_sync(). On the host target the page is an ordinary object and the sync
 * is a function pointer. The bench's copy of this layout is hil_tests/hushkit_hil/targets/audio_page.py.
 *
 * Numbers   Samples Q1.31; full scale is the spec's converters.full_scale_db_spl.
 * Order     At sync k the plant reads out[] of block k-1 and writes in[] of block k: one block of buffering.
 */
#ifndef HK_AUDIO_PAGE_H
#define HK_AUDIO_PAGE_H

#include <stdint.h> /* int32_t, uint32_t */

#define HK_AUDIO_PAGE_MAGIC     0x31504B48UL /* "HKP1", little-endian */
#define HK_AUDIO_PAGE_ABI       1UL
#define HK_AUDIO_PAGE_MAX_EARS  2U
#define HK_AUDIO_PAGE_MAX_BLOCK 8U

/** Inputs of one ear. */
enum {
    HK_AUDIO_IN_REFERENCE = 0, /* feedforward microphone */
    HK_AUDIO_IN_ERROR = 1,     /* feedback microphone */
    HK_AUDIO_IN_PROGRAMME = 2, /* music or speech to play */
    HK_AUDIO_IN_COUNT = 3
};

typedef struct {
    uint32_t magic;    /* host: HK_AUDIO_PAGE_MAGIC once a plant is attached, else 0 */
    uint32_t abi;      /* host: HK_AUDIO_PAGE_ABI */
    uint32_t n_ears;   /* firmware: ears it runs */
    uint32_t block;    /* firmware: samples per exchange */
    uint32_t rate_hz;  /* firmware */
    uint32_t sequence; /* firmware: exchanges so far, incremented before each sync */
    uint32_t stop;     /* host: 1 asks the firmware to park after this block */
    uint32_t ready;    /* firmware: 1 when the audio loop has started, 2 when parked after stop */
    uint32_t build_id; /* firmware: first four bytes of hk_build_id */
    uint32_t category; /* host: 1 + the noise category a bench makes act; 0: none, the spec's own settings */
    uint32_t reserved[6];
    int32_t in[HK_AUDIO_PAGE_MAX_EARS][HK_AUDIO_IN_COUNT][HK_AUDIO_PAGE_MAX_BLOCK];
    int32_t out[HK_AUDIO_PAGE_MAX_EARS][HK_AUDIO_PAGE_MAX_BLOCK];
} hk_audio_page_t;

_Static_assert(sizeof(hk_audio_page_t) == 320, "bench and firmware share this layout");

#endif /* HK_AUDIO_PAGE_H */
