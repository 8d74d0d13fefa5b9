/**
 * @file  hk_cortexm.h
 * @brief System control space of an Armv7-M or Armv8-M core: only the registers this port uses.
 *
 * Names and addresses as in the Armv7-M and Armv8-M architecture reference manuals, system address map (B3.2, D1.1).
 */
#ifndef HK_CORTEXM_H
#define HK_CORTEXM_H

#include <stdint.h> /* uint32_t, uint8_t */

/* HK-DEV-12, here and where these are used */
#define HK_REG32(address) (*(volatile uint32_t *)(address))
#define HK_REG8(address)  (*(volatile uint8_t *)(address))

#define HK_SYST_CSR           HK_REG32(0xE000E010UL)
#define HK_SYST_RVR           HK_REG32(0xE000E014UL)
#define HK_SYST_CVR           HK_REG32(0xE000E018UL)
#define HK_SYST_CSR_ENABLE    (1UL << 0)
#define HK_SYST_CSR_TICKINT   (1UL << 1)
#define HK_SYST_CSR_CLKSOURCE (1UL << 2)

#define HK_NVIC_ISER(irq)       HK_REG32(0xE000E100UL + 4UL * ((irq) / 32UL))
#define HK_NVIC_ISPR(irq)       HK_REG32(0xE000E200UL + 4UL * ((irq) / 32UL))
#define HK_NVIC_PRIORITY(irq)   HK_REG8(0xE000E400UL + (irq))
#define HK_NVIC_BIT(irq)        (1UL << ((irq) % 32UL))
#define HK_SCB_PRIORITY(number) HK_REG8(0xE000ED14UL + (number)) /* system exceptions 4..15 */

#define HK_SCB_CPUID                HK_REG32(0xE000ED00UL)
#define HK_SCB_ICSR                 HK_REG32(0xE000ED04UL)
#define HK_SCB_VTOR                 HK_REG32(0xE000ED08UL)
#define HK_SCB_AIRCR                HK_REG32(0xE000ED0CUL)
#define HK_SCB_AIRCR_RESET          0x05FA0004UL /* VECTKEY, SYSRESETREQ */
#define HK_SCB_CCR                  HK_REG32(0xE000ED14UL)
#define HK_SCB_CCR_STKALIGN         (1UL << 9)
#define HK_SCB_CCR_DIV_0_TRP        (1UL << 4)
#define HK_SCB_SHCSR                HK_REG32(0xE000ED24UL)
#define HK_SCB_SHCSR_MEMFAULTENA    (1UL << 16)
#define HK_SCB_SHCSR_BUSFAULTENA    (1UL << 17)
#define HK_SCB_SHCSR_USGFAULTENA    (1UL << 18)
#define HK_SCB_SHCSR_SECUREFAULTENA (1UL << 19)
#define HK_SCB_CFSR                 HK_REG32(0xE000ED28UL)
#define HK_SCB_HFSR                 HK_REG32(0xE000ED2CUL)
#define HK_SCB_MMFAR                HK_REG32(0xE000ED34UL)
#define HK_SCB_BFAR                 HK_REG32(0xE000ED38UL)
#define HK_SCB_CPACR                HK_REG32(0xE000ED88UL)
#define HK_SCB_CPACR_FPU            (0xFUL << 20) /* CP10, CP11: full access */

#define HK_MPU_TYPE            HK_REG32(0xE000ED90UL)
#define HK_MPU_CTRL            HK_REG32(0xE000ED94UL)
#define HK_MPU_CTRL_ENABLE     (1UL << 0)
#define HK_MPU_CTRL_PRIVDEFENA (1UL << 2)
#define HK_MPU_RNR             HK_REG32(0xE000ED98UL)
#define HK_MPU_RBAR            HK_REG32(0xE000ED9CUL)
#define HK_MPU_RASR            HK_REG32(0xE000EDA0UL)

#define HK_DHCSR           HK_REG32(0xE000EDF0UL)
#define HK_DHCSR_C_DEBUGEN (1UL << 0)
#define HK_DEMCR           HK_REG32(0xE000EDFCUL)
#define HK_DEMCR_TRCENA    (1UL << 24)
#define HK_DWT_CTRL        HK_REG32(0xE0001000UL)
#define HK_DWT_CTRL_CYCCNT (1UL << 0)
#define HK_DWT_CYCCNT      HK_REG32(0xE0001004UL)

#endif /* HK_CORTEXM_H */
