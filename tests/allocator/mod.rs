//! The system's allocator, counting what each thread asks of it.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What a thread has asked for so far.
#[derive(Clone, Copy)]
pub struct Counts {
    pub allocations: usize,
    pub frees: usize,
    pub allocated_bytes: usize,
    pub freed_bytes: usize,
}

thread_local! {
    static COUNTS: Cell<Counts> =
        const { Cell::new(Counts { allocations: 0, frees: 0, allocated_bytes: 0, freed_bytes: 0 }) };
}

struct Counting;

fn allocated(bytes: usize) {
    let counts = COUNTS.get();
    let (allocations, allocated_bytes) = (counts.allocations + 1, counts.allocated_bytes + bytes);
    COUNTS.set(Counts { allocations, allocated_bytes, ..counts });
}

fn freed(bytes: usize) {
    let counts = COUNTS.get();
    let (frees, freed_bytes) = (counts.frees + 1, counts.freed_bytes + bytes);
    COUNTS.set(Counts { frees, freed_bytes, ..counts });
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        freed(layout.size());
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) };
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        freed(layout.size());
        allocated(new_size);
        // SAFETY: the caller's.
        unsafe { System.realloc(memory, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What this thread asks for while `work` runs.
pub fn counted<T>(work: impl FnOnce() -> T) -> (Counts, T) {
    let before = COUNTS.get();
    let result = work();
    let after = COUNTS.get();
    let counts = Counts {
        allocations: after.allocations - before.allocations,
        frees: after.frees - before.frees,
        allocated_bytes: after.allocated_bytes - before.allocated_bytes,
        freed_bytes: after.freed_bytes - before.freed_bytes,
    };
    (counts, result)
}

/// What this thread has and has not given back, less what it gave back for others.
pub fn live_bytes() -> isize {
    let Counts { allocated_bytes, freed_bytes, .. } = COUNTS.get();
    allocated_bytes as isize - freed_bytes as isize
}
