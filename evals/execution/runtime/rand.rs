// What HumanEvalPack's Rust programs use of the crate rand 0.4, whose two-argument gen_range later versions dropped.
use std::cell::Cell;

thread_local!(static STATE: Cell<u64> = Cell::new(0x9E37_79B9_7F4A_7C15));

pub struct ThreadRng;

pub fn thread_rng() -> ThreadRng {
    ThreadRng
}

pub fn random<T: Random>() -> T {
    T::random(ThreadRng.next_u64())
}

impl ThreadRng {
    // splitmix64
    fn next_u64(&mut self) -> u64 {
        STATE.with(|state| {
            let next = state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
            state.set(next);
            let mixed = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        })
    }
}

pub trait Random: Sized {
    fn random(bits: u64) -> Self;
}

pub trait Between: Sized {
    fn between(low: Self, high: Self, bits: u64) -> Self;
}

pub trait Rng {
    fn gen<T: Random>(&mut self) -> T;
    fn gen_range<T: Between>(&mut self, low: T, high: T) -> T;
}

impl Rng for ThreadRng {
    fn gen<T: Random>(&mut self) -> T {
        T::random(self.next_u64())
    }

    fn gen_range<T: Between>(&mut self, low: T, high: T) -> T {
        T::between(low, high, self.next_u64())
    }
}

macro_rules! integers {
    ($($kind:ty)*) => {$(
        impl Random for $kind {
            fn random(bits: u64) -> Self {
                bits as $kind
            }
        }

        impl Between for $kind {
            fn between(low: Self, high: Self, bits: u64) -> Self {
                assert!(low < high, "gen_range: low must be below high");
                (low as i128 + (bits as i128).rem_euclid(high as i128 - low as i128)) as $kind
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

macro_rules! floats {
    ($($kind:ty)*) => {$(
        impl Random for $kind {
            fn random(bits: u64) -> Self {
                ((bits >> 11) as f64 / (1u64 << 53) as f64) as $kind
            }
        }

        impl Between for $kind {
            fn between(low: Self, high: Self, bits: u64) -> Self {
                low + (high - low) * <$kind>::random(bits)
            }
        }
    )*};
}
floats!(f32 f64);

impl Random for bool {
    fn random(bits: u64) -> Self {
        bits & 1 == 1
    }
}
