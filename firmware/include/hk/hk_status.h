/**
 * @file  hk_status.h
 * @brief Status codes of the firmware: zero is success, negative is an error, results travel elsewhere.
 */
#ifndef HK_STATUS_H
#define HK_STATUS_H

#if defined(__GNUC__)
#define HK_MUST_CHECK __attribute__((warn_unused_result))
#else
#define HK_MUST_CHECK
#endif

typedef enum {
    HK_OK = 0,
    HK_ERR_ARG = -1,     /* an argument nobody may pass, e.g. a null pointer or an ear that does not exist */
    HK_ERR_RANGE = -2,   /* a value outside its documented range */
    HK_ERR_STATE = -3,   /* not now: not initialised, or busy */
    HK_ERR_ABI = -4,     /* generated code was written for another layout */
    HK_ERR_SPACE = -5,   /* a fixed buffer is too small */
    HK_ERR_CORRUPT = -6, /* a check value does not match */
    HK_ERR_LENGTH = -7,  /* received data too short or too long */
    HK_ERR_UNKNOWN = -8, /* unknown message, command or key */
    HK_ERR_DENIED = -9   /* a signature is not the owner's */
} hk_status_t;

#endif /* HK_STATUS_H */
