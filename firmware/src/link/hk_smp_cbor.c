/**
 * @file  hk_smp_cbor.c
 * @brief CBOR of SMP bodies (RFC 8949): a check that bounds what comes from outside, and reading by key.
 */
#include "hk_smp_groups.h"

#include <string.h> /* memcmp, strlen */
#include <zcbor_decode.h>
#include <zcbor_encode.h>

enum {
    HK_CBOR_UINT = 0,
    HK_CBOR_NEGATIVE,
    HK_CBOR_BYTES,
    HK_CBOR_TEXT,
    HK_CBOR_LIST,
    HK_CBOR_MAP,
    HK_CBOR_TAG,
    HK_CBOR_SIMPLE
};

#define HK_CBOR_INDEFINITE 31U
#define HK_CBOR_BREAK      0xFFU

typedef struct {
    uint8_t major;
    bool indefinite;
    uint32_t value;
} hk_cbor_head_t;

typedef struct {
    const uint8_t *bytes;
    uint32_t n;
    uint32_t at;
    uint32_t depth;              /* open containers */
    uint32_t left[HK_SMP_DEPTH]; /* items the container still wants; meaningless where indefinite */
    bool indefinite[HK_SMP_DEPTH];
    bool is_map[HK_SMP_DEPTH];
    bool odd[HK_SMP_DEPTH]; /* a key of an indefinite map waits for its value */
} hk_cbor_check_t;

static bool read_head(hk_cbor_check_t *c, hk_cbor_head_t *head) {
    if (c->at == c->n) {
        return false;
    }
    const uint8_t first = c->bytes[c->at++];
    const uint32_t info = first & 31U;
    head->major = (uint8_t)(first >> 5);
    head->indefinite = info == HK_CBOR_INDEFINITE;
    head->value = info;
    if (info < 24U) {
        return true;
    }
    if (head->indefinite) {
        return head->major == HK_CBOR_LIST || head->major == HK_CBOR_MAP;
    }
    const uint32_t n = info < 28U ? 1U << (info - 24U) : 0U; /* 1, 2, 4, 8; 28..30 are reserved */
    if (n == 0U || n > c->n - c->at) {
        return false;
    }
    head->value = 0U;
    for (uint32_t i = 0U; i < n; i++) {
        if ((head->value >> 24) != 0U && head->major >= HK_CBOR_BYTES && head->major <= HK_CBOR_MAP) {
            return false; /* a length beyond 32 bits cannot be here */
        }
        head->value = head->value << 8 | c->bytes[c->at++];
    }
    return true;
}

static bool open_container(hk_cbor_check_t *c, const hk_cbor_head_t *head) {
    if (c->depth == HK_SMP_DEPTH || (!head->indefinite && head->value > c->n)) {
        return false;
    }
    const bool is_map = head->major == HK_CBOR_MAP;
    c->left[c->depth] = is_map ? 2U * head->value : head->value;
    c->indefinite[c->depth] = head->indefinite;
    c->is_map[c->depth] = is_map;
    c->odd[c->depth] = false;
    c->depth++;
    return true;
}

/* One item has ended: close every definite container that it completes. */
static void end_item(hk_cbor_check_t *c) {
    while (c->depth > 0U) {
        const uint32_t top = c->depth - 1U;
        c->odd[top] = !c->odd[top];
        if (c->indefinite[top]) {
            return;
        }
        if (c->left[top] > 0U) {
            c->left[top]--;
        }
        if (c->left[top] > 0U) {
            return;
        }
        c->depth--;
    }
}

static bool check_item(hk_cbor_check_t *c) {
    hk_cbor_head_t head;
    if (c->depth > 0U && c->at < c->n && c->bytes[c->at] == HK_CBOR_BREAK) {
        const uint32_t top = c->depth - 1U;
        if (!c->indefinite[top] || (c->is_map[top] && c->odd[top])) {
            return false;
        }
        c->at++;
        c->depth--;
        end_item(c);
        return true;
    }
    if (!read_head(c, &head)) {
        return false;
    }
    switch (head.major) {
    case HK_CBOR_BYTES:
    case HK_CBOR_TEXT:
        if (head.value > c->n - c->at) {
            return false;
        }
        c->at += head.value;
        break;
    case HK_CBOR_LIST:
    case HK_CBOR_MAP:
        if (!open_container(c, &head)) {
            return false;
        }
        if (head.indefinite || head.value != 0U) {
            return true;
        }
        c->depth--; /* empty: ended already */
        break;
    case HK_CBOR_TAG:
        return false; /* no message of ours or of mcumgr has tags */
    default:
        break;
    }
    end_item(c);
    return true;
}

bool hk_smp_is_map(const uint8_t *bytes, uint32_t n) {
    if (n == 0U || bytes[0] >> 5 != HK_CBOR_MAP) {
        return false;
    }
    hk_cbor_check_t check = {.bytes = bytes, .n = n};
    do {
        if (!check_item(&check)) {
            return false;
        }
    } while (check.depth > 0U);
    return check.at == n;
}

static hk_smp_field_t *find_field(hk_smp_field_t *fields, uint32_t n_fields, const struct zcbor_string *key) {
    for (uint32_t i = 0U; i < n_fields; i++) {
        if (strlen(fields[i].key) == key->len && memcmp(fields[i].key, key->value, key->len) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static hk_smp_read_t read_value(zcbor_state_t *in, hk_smp_field_t *field) {
    struct zcbor_string text;
    uint64_t number;
    if (field->present) {
        return HK_SMP_READ_MALFORMED; /* the key comes twice */
    }
    switch (field->type) {
    case HK_SMP_BYTES:
        if (!zcbor_bstr_decode(in, &text)) {
            return HK_SMP_READ_MALFORMED;
        }
        field->text = (const char *)text.value;
        field->n_text = (uint32_t)text.len;
        break;
    case HK_SMP_TEXT:
        if (!zcbor_tstr_decode(in, &text)) {
            return HK_SMP_READ_MALFORMED;
        }
        field->text = (const char *)text.value;
        field->n_text = (uint32_t)text.len;
        break;
    case HK_SMP_UINT:
    default:
        if (!zcbor_uint64_decode(in, &number)) {
            int64_t negative;
            return zcbor_int64_decode(in, &negative) ? HK_SMP_READ_RANGE : HK_SMP_READ_MALFORMED;
        }
        if (number > UINT32_MAX) {
            return HK_SMP_READ_RANGE;
        }
        field->number = (uint32_t)number;
        break;
    }
    field->present = true;
    return HK_SMP_READ_OK;
}

hk_smp_read_t hk_smp_read_fields(const hk_smp_request_t *request, hk_smp_field_t *fields, uint32_t n_fields,
                                 bool strict) {
    zcbor_state_t in[HK_SMP_DEPTH];
    zcbor_new_decode_state(in, HK_SMP_DEPTH, request->body, request->n_body, 1U, NULL, 0U);
    if (!zcbor_map_start_decode(in)) {
        return HK_SMP_READ_MALFORMED;
    }
    while (!zcbor_array_at_end(in)) {
        struct zcbor_string key;
        if (!zcbor_tstr_decode(in, &key)) {
            return HK_SMP_READ_MALFORMED;
        }
        hk_smp_field_t *field = find_field(fields, n_fields, &key);
        if (field == NULL && strict) {
            return HK_SMP_READ_UNKNOWN_KEY;
        }
        if (field == NULL) {
            if (!zcbor_any_skip(in, NULL)) {
                return HK_SMP_READ_MALFORMED;
            }
            continue;
        }
        const hk_smp_read_t result = read_value(in, field);
        if (result != HK_SMP_READ_OK) {
            return result;
        }
    }
    return HK_SMP_READ_OK;
}

static bool put_key(zcbor_state_t *out, const char *key) {
    return zcbor_tstr_encode_ptr(out, key, strlen(key));
}

bool hk_smp_put_uint(zcbor_state_t *out, const char *key, uint32_t value) {
    return put_key(out, key) && zcbor_uint32_put(out, value);
}

bool hk_smp_put_bool(zcbor_state_t *out, const char *key, bool value) {
    return put_key(out, key) && zcbor_bool_put(out, value);
}

bool hk_smp_put_text(zcbor_state_t *out, const char *key, const char *text, uint32_t n) {
    return put_key(out, key) && zcbor_tstr_encode_ptr(out, text, n);
}

bool hk_smp_put_bytes(zcbor_state_t *out, const char *key, const uint8_t *bytes, uint32_t n) {
    return put_key(out, key) && zcbor_bstr_encode_ptr(out, (const char *)bytes, n);
}
