/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole software of a test guest: a 64 KiB firmware that keeps every vCPU thread of a
 * QEMU process busy in one of these ways. There is no boot: within milliseconds of power-on
 * all processors are at work, even when QEMU itself runs under emulation.
 *
 *   spin (no -D)  all processors count in a loop: threads that never sleep.
 *   -DTICK        each processor's own timer wakes it TICK_HZ times a second out of HLT.
 *   -DWORK=N      with TICK: and computes for N loops each time.
 *   -DRING        one processor at a time is awake; it wakes the next and halts: threads
 *                 that sleep and wake as fast as the host lets them (plain "-smp N" only:
 *                 APIC ids must be without gaps).
 *
 * To build one, with OPTION from above or none:
 *
 *   gcc -m32 OPTION -c -o build/NAME.o tests/vm/guest/firmware.S
 *   ld -m elf_i386 -N -Ttext=0xf0000 -e 0xf0000 --oformat=binary -o build/NAME.bin build/NAME.o
 *
 * To run: qemu-system-x86_64 -machine pc -nodefaults -display none -m 32 -smp 3 -bios NAME.bin
 *
 * The image appears at 0xf0000 and below 4 GiB. Offset 0 is where the start-up interrupt
 * with vector 0xf0 begins; the processor that starts the others comes by the reset vector.
 */

#ifndef TICK_HZ
#define TICK_HZ		1000
#endif
#ifdef RING
#undef TICK_HZ
#define TICK_HZ		10			/* only looks whether the ring is alive */
#endif
#define APIC_HZ		1000000000		/* QEMU's, and KVM's */

#define BASE		0xf0000
#define AT(label)	(BASE + (label) - image)

#define MSR_APIC_BASE	0x1b
#define APIC_BASE_BSP	0x100

#define APIC		0xfee00000
#define APIC_ID		(APIC + 0x20)
#define APIC_EOI	(APIC + 0xb0)
#define APIC_SVR	(APIC + 0xf0)
#define APIC_ICR_LOW	(APIC + 0x300)
#define APIC_ICR_HIGH	(APIC + 0x310)
#define APIC_LVT_TIMER	(APIC + 0x320)
#define APIC_COUNT	(APIC + 0x380)
#define APIC_DIVIDE	(APIC + 0x3e0)

#define OTHERS_INIT	0xc4500
#define OTHERS_STARTUP	0xc46f0
#define TIMER_PERIODIC	0x20000
#define DIVIDE_BY_1	0xb

#define VECTOR_TIMER	0x40
#define VECTOR_RING	0x41
#define VECTOR_SPURIOUS	0x4f

#define STACKS		0x10000			/* RAM; 256 bytes a processor */
#define COUNT		0x8000			/* RAM: how many have started */
#define HOPS		0x8004			/* RAM: wake-ups in the ring so far */
#define HOPS_SEEN	0x8008			/* RAM: the same at the last look */

	.text
image:
	.code16
entry:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	(gdt_pointer - image)
	lidtl	(idt_pointer - image)
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$8, $AT(flat)

	.code32
flat:
	mov	$16, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss

	/* A stack by APIC id: HLT's wake-up is an interrupt, and that needs one. */
	mov	APIC_ID, %ebx
	shr	$24, %ebx
	mov	%ebx, %esp
	inc	%esp
	shl	$8, %esp
	add	$STACKS, %esp

	movl	$(0x100 | VECTOR_SPURIOUS), APIC_SVR
	lock incl COUNT

	mov	$MSR_APIC_BASE, %ecx
	rdmsr
	test	$APIC_BASE_BSP, %eax
	jz	work

	/* Nothing but our own timers may interrupt. */
	mov	$0xff, %al
	out	%al, $0x21
	out	%al, $0xa1

	movl	$OTHERS_INIT, APIC_ICR_LOW
	call	pause
	movl	$OTHERS_STARTUP, APIC_ICR_LOW
	call	pause
	movl	$OTHERS_STARTUP, APIC_ICR_LOW

work:
#ifdef RING
	test	%ebx, %ebx			/* its watchman */
	jnz	1f
#endif
#if defined(TICK) || defined(RING)
	movl	$DIVIDE_BY_1, APIC_DIVIDE
	movl	$(TIMER_PERIODIC | VECTOR_TIMER), APIC_LVT_TIMER
	movl	$(APIC_HZ / TICK_HZ), APIC_COUNT
1:	sti
	hlt
	jmp	1b
#else
1:	inc	%eax
	jmp	1b
#endif

/* Long enough for a processor to take its INIT before the start-up comes. */
pause:
	mov	$200000, %ecx
1:	dec	%ecx
	jnz	1b
	ret

interrupt:
#ifdef WORK
	mov	$WORK, %ecx
1:	dec	%ecx
	jnz	1b
#endif
	movl	$0, APIC_EOI
	iret

#ifdef RING
/* To the next: the id above, and 0 after the last. */
ring:
	push	%eax
	incl	HOPS
	lea	1(%ebx), %eax
	cmp	COUNT, %eax
	jb	1f
	xor	%eax, %eax
1:	shl	$24, %eax
	mov	%eax, APIC_ICR_HIGH
	movl	$(0x4000 | VECTOR_RING), APIC_ICR_LOW
	movl	$0, APIC_EOI
	pop	%eax
	iret

/* Starts it, and again if a wake-up was ever lost. */
timer:
	push	%eax
	mov	HOPS, %eax
	cmp	HOPS_SEEN, %eax
	mov	%eax, HOPS_SEEN
	pop	%eax
	je	ring
	jmp	interrupt
#else
#define ring	interrupt
#define timer	interrupt
#endif

	.balign	8
/* Null, code, data: flat, and marked as accessed, as nothing can be marked in a ROM. */
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	AT(gdt)

	.balign	8
idt:
	.rept	VECTOR_TIMER
	.word	interrupt - image, 8, 0x8e00, BASE >> 16
	.endr
	.word	timer - image, 8, 0x8e00, BASE >> 16
	.word	ring - image, 8, 0x8e00, BASE >> 16
	.rept	255 - VECTOR_RING
	.word	interrupt - image, 8, 0x8e00, BASE >> 16
	.endr
idt_pointer:
	.word	. - idt - 1
	.long	AT(idt)

	.org	0xfff0, 0xff
	.code16
	ljmpw	$0xf000, $(entry - image)
	.org	0x10000, 0xff
