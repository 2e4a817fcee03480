package model

import (
	"math/bits"
	"time"

	"tracksource/money"
)

// roots are 2^-(2^-k) for k from 1 to 64, as fractions of 2^128 rounded down:
// each is the square root of the one before it.
var roots = [...]wide{
	{0xb504f333f9de6484, 0x597d89b3754abe9f},
	{0xd744fccad69d6af4, 0x39a68bb9902d3fde},
	{0xeac0c6e7dd24392e, 0xd02d75b3706e54fa},
	{0xf5257d152486cc2c, 0x7b9d0c7aed980fc3},
	{0xfa83b2db722a033a, 0x7c25bb14315d7fcc},
	{0xfd3e0c0cf486c174, 0x853f3a5931e0ee03},
	{0xfe9e115c7b8f884b, 0xadd25995e79d2f09},
	{0xff4ecb59511ec8a5, 0x301ba217ef18dd7c},
	{0xffa756521c8daed1, 0x9f3a1b48fb94c589},
	{0xffd3a751c0f7e10b, 0xd3b9f8ae012fbe06},
	{0xffe9d2b2f7db2755, 0xddf1d28a378a438c},
	{0xfff4e91bff1b8c3d, 0x88338e0ebf284a4d},
	{0xfffa747ea0040664, 0x238f92f792405805},
	{0xfffd3a3b7814eb53, 0xcd7629d70fea116a},
	{0xfffe9d1cc60ddab1, 0x26de1aec4a87e7b8},
	{0xffff4e8e25879bfa, 0x09ea263360240c1a},
	{0xffffa7470363f451, 0x5426d76c762b6b61},
	{0xffffd3a37dda0313, 0x3bde87a8379c8932},
	{0xffffe9d1bdf703ae, 0xf21ea4dcfb0682d8},
	{0xfffff4e8debe025e, 0x24128a3d460731f1},
	{0xfffffa746f4fa150, 0x6788fbc89750bf71},
	{0xfffffd3a37a3f8b0, 0x7e7c4871dc00d76e},
	{0xfffffe9d1bd1065a, 0x50971275792f1c83},
	{0xffffff4e8de845ad, 0xac77243cd0914b37},
	{0xffffffa746f41376, 0xf74124cd483186d4},
	{0xffffffd3a37a05e3, 0x83e14c90273c94f5},
	{0xffffffe9d1bd01fb, 0xc400bf822dc936b5},
	{0xfffffff4e8de80c0, 0x62846365949b61af},
	{0xfffffffa746f4050, 0xd1633246a8a0e09a},
	{0xfffffffd3a37a024, 0x90b9d93da3c1ebcf},
	{0xfffffffe9d1bd011, 0x525efca410b8eab7},
	{0xffffffff4e8de808, 0x6bb002532d71e54d},
	{0xffffffffa746f404, 0x26782229daaa3cfa},
	{0xffffffffd3a37a02, 0x0f641954fda6eedd},
	{0xffffffffe9d1bd01, 0x06bc0eba82d29b40},
	{0xfffffffff4e8de80, 0x832087e142666c8b},
	{0xfffffffffa746f40, 0x4180e411a17228bf},
	{0xfffffffffd3a37a0, 0x20bc9a1110c8c656},
	{0xfffffffffe9d1bd0, 0x105d570a98684e53},
	{0xffffffffff4e8de8, 0x082e6e05d03521c9},
	{0xffffffffffa746f4, 0x041727a3091acf87},
	{0xffffffffffd3a37a, 0x020b8ff98ccd776b},
	{0xffffffffffe9d1bd, 0x0105c706c876bf9f},
	{0xfffffffffff4e8de, 0x8082e345e4bf60ca},
	{0xfffffffffffa746f, 0x404171939280b0a3},
	{0xfffffffffffd3a37, 0xa020b8c5f1489861},
	{0xfffffffffffe9d1b, 0xd0105c6202a65c34},
	{0xffffffffffff4e8d, 0xe8082e30c3d3b21b},
	{0xffffffffffffa746, 0xf40417185289fa0d},
	{0xffffffffffffd3a3, 0x7a020b8c256d0547},
	{0xffffffffffffe9d1, 0xbd0105c611c084b3},
	{0xfffffffffffff4e8, 0xde8082e308a2c2dd},
	{0xfffffffffffffa74, 0x6f4041718442018f},
	{0xfffffffffffffd3a, 0x37a020b8c21d28d0},
	{0xfffffffffffffe9d, 0x1bd0105c610d9e6a},
	{0xffffffffffffff4e, 0x8de8082e308691b5},
	{0xffffffffffffffa7, 0x46f404171843397a},
	{0xffffffffffffffd3, 0xa37a020b8c2198e5},
	{0xffffffffffffffe9, 0xd1bd0105c610cb7c},
	{0xfffffffffffffff4, 0xe8de8082e3086580},
	{0xfffffffffffffffa, 0x746f4041718432b1},
	{0xfffffffffffffffd, 0x3a37a020b8c21954},
	{0xfffffffffffffffe, 0x9d1bd0105c610ca9},
	{0xffffffffffffffff, 0x4e8de8082e308654},
}

// ln2 is the natural logarithm of two as a fraction of 2^64, rounded down.
const ln2 = 0xb17217f7d1cf79ab

// halved returns 2^-x, x being age over half-life, in parts of money.Whole, half
// a part rounded up. An age below zero is zero. The whole part of x is a shift;
// of its fraction the upper 64 bits choose among the roots, and of the rest z,
// under 2^-64, 2^-z is 1 - z ln 2 to 128 bits. What is rounded differs from the
// true value by less than 2^-120, so the result is the nearest part unless that
// is nearer than 10^-17 of a part to a half.
func halved(age, halfLife time.Duration) uint64 {
	if age <= 0 {
		return money.Whole
	}
	shift := uint64(age / halfLife)
	if shift >= 64 {
		return 0
	}
	fraction, rest := bits.Div64(uint64(age%halfLife), 0, uint64(halfLife))
	finer, _ := bits.Div64(rest, 0, uint64(halfLife))
	// Without a fraction the value is exact: money.Whole and no part of it.
	parts, below := money.Whole, uint64(0)
	if fraction|finer != 0 {
		value := wide{^uint64(0), ^uint64(0)}
		for k := 0; fraction<<k != 0; k++ {
			if fraction<<k>>63 == 1 {
				value = value.fraction(roots[k])
			}
		}
		slope, _ := bits.Mul64(ln2, finer)
		fall, _ := bits.Mul64(value.high, slope)
		value = value.minus(wide{0, fall})
		carry, _ := bits.Mul64(value.low, money.Whole)
		high, low := bits.Mul64(value.high, money.Whole)
		sum, over := bits.Add64(low, carry, 0)
		parts, below = high+over, sum
	}
	if shift == 0 {
		return parts + below>>63
	}
	return parts>>shift + parts>>(shift-1)&1
}
