/* Acoustic plant of the bench; contract and file formats in plant.h. */
#include "plant.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Four floats, because SSE2 and NEON both have them: wider vectors would be split differently per machine. */
typedef float lanes_t __attribute__((vector_size(16), aligned(4), may_alias));

enum { LANES = 4, CHAINS = 4, STRIDE = LANES * CHAINS };

typedef struct {
    const float *taps; /* of one segment, padded to STRIDE with zeros */
    uint32_t n;        /* padded */
} fir_t;

typedef struct {
    uint8_t *at;
    size_t bytes;
} mapping_t;

/* What the driver plays: newest sample first, written twice so that every window is contiguous. */
typedef struct {
    float *samples; /* 2 * capacity */
    uint32_t capacity;
    uint32_t newest;
} line_t;

struct hk_plant {
    mapping_t file, record_file;
    const hk_plant_header_t *header;
    hk_record_header_t *record;
    const uint32_t *starts, *categories;
    float *taps; /* padded copies of all paths */
    uint32_t secondary_n, feedback_n, segment, position, sequence;
    const float *reference, *disturbance;
    const int32_t *programme;
    int32_t *y, *e;
    uint32_t *instructions, *isr_instructions;
    line_t lines[HK_AUDIO_PAGE_MAX_EARS];
};

static float fir_at(fir_t fir, const float *window) {
    lanes_t sum[CHAINS] = {{0.0F}, {0.0F}, {0.0F}, {0.0F}};
    for (uint32_t t = 0; t < fir.n; t += STRIDE) {
        for (uint32_t c = 0; c < CHAINS; c++) {
            sum[c] += *(const lanes_t *)(fir.taps + t + c * LANES) * *(const lanes_t *)(window + t + c * LANES);
        }
    }
    const lanes_t all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    return (all[0] + all[1]) + (all[2] + all[3]);
}

/* A 24-bit converter: rounds to nearest even, clips at full scale. */
static int32_t converter_in(float value) {
    const float top = 8388607.0F;
    float scaled = value * 8388608.0F;
    scaled = scaled > top ? top : scaled;
    scaled = scaled < -8388608.0F ? -8388608.0F : scaled;
    return (int32_t)lrintf(scaled) * 256;
}

static float converter_out(int32_t y) {
    const int32_t rounded = y > INT32_MAX - 128 ? 8388607 : (y + 128) >> 8;
    return (float)rounded * (1.0F / 8388608.0F);
}

static void line_push(line_t *line, float sample) {
    line->newest = line->newest == 0 ? line->capacity - 1 : line->newest - 1;
    line->samples[line->newest] = sample;
    line->samples[line->newest + line->capacity] = sample;
}

static int map_file(mapping_t *map, const char *path, int writable) {
    const int fd = open(path, writable ? O_RDWR : O_RDONLY);
    struct stat about;
    if (fd < 0) {
        return 0;
    }
    if (fstat(fd, &about) != 0 || about.st_size < (off_t)sizeof(hk_plant_header_t)) {
        close(fd);
        return 0;
    }
    map->bytes = (size_t)about.st_size;
    void *at = mmap(NULL, map->bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    map->at = at == MAP_FAILED ? NULL : at;
    return map->at != NULL;
}

static uint32_t padded(uint32_t n) {
    return (n + STRIDE - 1) / STRIDE * STRIDE;
}

static const char *fault_of(const hk_plant_header_t *h, size_t bytes, size_t record_bytes) {
    if (h->magic != HK_PLANT_MAGIC || h->abi != HK_PLANT_ABI) {
        return "not a plant file of this version";
    }
    if (h->n_ears == 0 || h->n_ears > HK_AUDIO_PAGE_MAX_EARS || h->block == 0 || h->block > HK_AUDIO_PAGE_MAX_BLOCK ||
        h->n_segments == 0 || h->n_samples == 0 || h->n_samples % h->block != 0 || h->latency < h->block ||
        h->secondary_taps == 0) {
        return "plant file with impossible ears, block, segments, samples, taps or latency";
    }
    const size_t paths = (size_t)h->n_segments * h->n_ears * ((size_t)h->secondary_taps + h->feedback_taps);
    const size_t signals = (size_t)h->n_ears * h->n_samples * (h->has_programme ? 3U : 2U);
    if (bytes != sizeof *h + 4 * (2 * (size_t)h->n_segments + paths + signals)) {
        return "plant file whose size is not what its header says";
    }
    const size_t heard = (size_t)h->n_samples * h->n_ears * 2 + (size_t)(h->n_samples / h->block) * 2;
    if (record_bytes != sizeof(hk_record_header_t) + 4 * heard) {
        return "record file of another size than the plant needs";
    }
    return NULL;
}

/* Taps with zeros to a multiple of STRIDE: the sum's order then never depends on a tail. */
static int copy_taps(hk_plant_t *p, const float *from) {
    const hk_plant_header_t *h = p->header;
    const size_t rows = (size_t)h->n_segments * h->n_ears;
    p->secondary_n = padded(h->secondary_taps);
    p->feedback_n = padded(h->feedback_taps);
    p->taps = calloc(rows * ((size_t)p->secondary_n + p->feedback_n), sizeof(float));
    if (p->taps == NULL) {
        return 0;
    }
    for (size_t row = 0; row < rows; row++) {
        memcpy(p->taps + row * p->secondary_n, from + row * h->secondary_taps, h->secondary_taps * sizeof(float));
    }
    for (size_t row = 0; row < rows && h->feedback_taps > 0; row++) {
        memcpy(p->taps + rows * p->secondary_n + row * p->feedback_n,
               from + rows * h->secondary_taps + row * h->feedback_taps, h->feedback_taps * sizeof(float));
    }
    return 1;
}

static int open_lines(hk_plant_t *p) {
    const uint32_t longest = p->secondary_n > p->feedback_n ? p->secondary_n : p->feedback_n;
    for (uint32_t ear = 0; ear < p->header->n_ears; ear++) {
        line_t *line = &p->lines[ear];
        line->capacity = longest + p->header->latency;
        line->samples = calloc(2 * (size_t)line->capacity, sizeof(float));
        if (line->samples == NULL) {
            return 0;
        }
    }
    return 1;
}

hk_plant_t *hk_plant_open(const char *plant_file, const char *record_file, const char **why) {
    hk_plant_t *p = calloc(1, sizeof *p);
    *why = "no memory";
    if (p == NULL) {
        return NULL;
    }
    *why = "plant or record file cannot be mapped";
    if (!map_file(&p->file, plant_file, 0) || !map_file(&p->record_file, record_file, 1)) {
        hk_plant_close(p);
        return NULL;
    }
    p->header = (const hk_plant_header_t *)(const void *)p->file.at;
    *why = fault_of(p->header, p->file.bytes, p->record_file.bytes);
    if (*why != NULL) {
        hk_plant_close(p);
        return NULL;
    }
    const hk_plant_header_t *h = p->header;
    const size_t rows = (size_t)h->n_segments * h->n_ears;
    const size_t signal = (size_t)h->n_ears * h->n_samples;
    p->starts = (const uint32_t *)(const void *)(h + 1);
    p->categories = p->starts + h->n_segments;
    const float *paths = (const float *)(const void *)(p->categories + h->n_segments);
    p->reference = paths + rows * ((size_t)h->secondary_taps + h->feedback_taps);
    p->disturbance = p->reference + signal;
    p->programme = h->has_programme ? (const int32_t *)(const void *)(p->disturbance + signal) : NULL;
    p->record = (hk_record_header_t *)(void *)p->record_file.at;
    p->y = (int32_t *)(void *)(p->record + 1);
    p->e = p->y + signal;
    p->instructions = (uint32_t *)(p->e + signal);
    p->isr_instructions = p->instructions + h->n_samples / h->block;
    *why = "no memory";
    if (!copy_taps(p, paths) || !open_lines(p)) {
        hk_plant_close(p);
        return NULL;
    }
    memset(p->record, 0, sizeof *p->record);
    p->record->magic = HK_RECORD_MAGIC;
    p->record->abi = HK_PLANT_ABI;
    return p;
}

static void take_output(hk_plant_t *p, const hk_audio_page_t *page, uint32_t ear) {
    const hk_plant_header_t *h = p->header;
    const uint32_t end = p->position == 0 ? h->n_samples : p->position;
    for (uint32_t i = 0; i < h->block; i++) {
        const int32_t y = page->out[ear][i];
        p->y[(size_t)ear * h->n_samples + end - h->block + i] = y;
        line_push(&p->lines[ear], converter_out(y));
    }
}

static void give_input(hk_plant_t *p, hk_audio_page_t *page, uint32_t ear) {
    const hk_plant_header_t *h = p->header;
    const line_t *line = &p->lines[ear];
    const size_t row = (size_t)p->segment * h->n_ears + ear;
    const size_t rows = (size_t)h->n_segments * h->n_ears;
    const fir_t secondary = {p->taps + row * p->secondary_n, p->secondary_n};
    const fir_t feedback = {p->taps + rows * p->secondary_n + row * p->feedback_n, p->feedback_n};
    for (uint32_t i = 0; i < h->block; i++) {
        const size_t n = (size_t)ear * h->n_samples + p->position + i;
        /* The line's newest sample is y[position - 1]; u[position + i] is y[position + i - latency]. */
        const float *window = line->samples + line->newest + (h->latency - 1 - i);
        const float x = p->reference[n] + (feedback.n > 0 ? fir_at(feedback, window) : 0.0F);
        const int32_t e = converter_in(p->disturbance[n] + fir_at(secondary, window));
        page->in[ear][HK_AUDIO_IN_REFERENCE][i] = converter_in(x);
        page->in[ear][HK_AUDIO_IN_ERROR][i] = e;
        page->in[ear][HK_AUDIO_IN_PROGRAMME][i] = p->programme != NULL ? p->programme[n] : 0;
        p->e[n] = e;
    }
}

static hk_plant_state_t greet(hk_plant_t *p, const hk_audio_page_t *page) {
    const hk_plant_header_t *h = p->header;
    p->record->n_ears = page->n_ears;
    p->record->block = page->block;
    p->record->rate_hz = page->rate_hz;
    p->record->build_id = page->build_id;
    const int same = page->n_ears == h->n_ears && page->block == h->block && page->rate_hz == h->rate_hz;
    return same ? HK_PLANT_RUNNING : HK_PLANT_ERR_SHAPE;
}

hk_plant_state_t hk_plant_exchange(hk_plant_t *p, hk_audio_page_t *page) {
    const hk_plant_header_t *h = p->header;
    hk_record_header_t *record = p->record;
    if (record->state != HK_PLANT_RUNNING) {
        return (hk_plant_state_t)record->state;
    }
    if (record->exchanges == 0) {
        record->state = (uint32_t)greet(p, page);
    } else if (page->sequence != p->sequence + 1U) {
        record->state = HK_PLANT_ERR_ORDER;
    } else {
        for (uint32_t ear = 0; ear < h->n_ears; ear++) {
            take_output(p, page, ear);
        }
        record->state = record->samples == h->n_samples && !h->loop ? HK_PLANT_DONE : HK_PLANT_RUNNING;
    }
    p->sequence = page->sequence;
    if (record->state != HK_PLANT_RUNNING) {
        return (hk_plant_state_t)record->state;
    }
    while (p->segment + 1 < h->n_segments && p->starts[p->segment + 1] <= p->position) {
        p->segment++;
    }
    page->category = p->categories[p->segment];
    for (uint32_t ear = 0; ear < h->n_ears; ear++) {
        give_input(p, page, ear);
    }
    record->exchanges++;
    record->samples += h->block;
    p->position += h->block;
    if (p->position == h->n_samples) {
        p->position = 0;
        p->segment = 0;
    }
    return HK_PLANT_RUNNING;
}

void hk_plant_sync(hk_audio_page_t *page, void *plant) {
    page->stop = hk_plant_exchange(plant, page) == HK_PLANT_RUNNING ? 0U : 1U;
}

void hk_plant_note_instructions(hk_plant_t *p, uint32_t exchange, uint32_t instructions, uint32_t isr_instructions) {
    const uint32_t blocks = p->header->n_samples / p->header->block;
    if (exchange < blocks) {
        p->instructions[exchange] = instructions;
        p->isr_instructions[exchange] = isr_instructions;
    }
}

const hk_record_header_t *hk_plant_record(const hk_plant_t *p) {
    return p->record;
}

void hk_plant_close(hk_plant_t *p) {
    if (p == NULL) {
        return;
    }
    for (uint32_t ear = 0; ear < HK_AUDIO_PAGE_MAX_EARS; ear++) {
        free(p->lines[ear].samples);
    }
    free(p->taps);
    if (p->file.at != NULL) {
        munmap(p->file.at, p->file.bytes);
    }
    if (p->record_file.at != NULL) {
        munmap(p->record_file.at, p->record_file.bytes);
    }
    free(p);
}
