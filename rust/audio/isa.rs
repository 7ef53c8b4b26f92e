//! Which instruction sets this processor has, of those that the kernels are compiled for.

use std::fmt;

/// An instruction set that this processor has: the proof that its kernels may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

/// As which of its versions a kernel runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Sse2,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// Plain loops, on any processor.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// All that this processor has, the best last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "other processors have no more")]
        let mut sets = vec![Self::PORTABLE];
        // Part of every x86-64, as NEON is of every aarch64.
        #[cfg(target_arch = "x86_64")]
        sets.push(Self(Level::Sse2));
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            sets.push(Self(Level::Avx2));
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                sets.push(Self(Level::Avx512));
            }
        }
        #[cfg(target_arch = "aarch64")]
        sets.push(Self(Level::Neon));
        sets
    }

    /// The best that this processor has.
    pub fn best() -> Self {
        static BEST: std::sync::LazyLock<Isa> =
            std::sync::LazyLock::new(|| Isa::available().pop().unwrap_or(Isa::PORTABLE));
        *BEST
    }

    /// Only those that were found make it into an `Isa`.
    pub(super) fn level(self) -> Level {
        self.0
    }
}

/// `portable`, `sse2`, `avx2`, `avx512` or `neon`.
impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{:?}", self.0).to_lowercase())
    }
}
