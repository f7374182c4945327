//! The process's memory in huge pages (Linux, `Documentation/admin-guide/mm/transhuge.rst`): a program's objects lie in tens
//! of thousands of small ones, and the processor has places for two thousand addresses of pages.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use pyo3::prelude::*;

const SETTINGS: &str = "/sys/kernel/mm/transparent_hugepage";
/// Bits of an entry in `/proc/self/pagemap`: the page is there, and no other process has it.
const PRESENT: u64 = 1 << 63;
const EXCLUSIVE: u64 = 1 << 56;

/// Move what lies densely in memory into huge pages; returns how many bytes lie in such now.
///
/// Memory that is shared with other processes, as after a fork, stays shared. Gives 0 where the kernel has no huge pages or
/// its administrator does not want any.
#[pyfunction]
pub fn gather_memory(py: Python<'_>) -> usize {
    py.detach(|| gather().unwrap_or(0))
}

fn gather() -> io::Result<usize> {
    if fs::read_to_string(format!("{SETTINGS}/enabled"))?.contains("[never]") {
        return Ok(0);
    }
    let size = fs::read_to_string(format!("{SETTINGS}/hpage_pmd_size"))?;
    let Ok(size) = size.trim().parse::<usize>() else {
        return Ok(0);
    };
    let pages = Pages {
        size,
        map: File::open("/proc/self/pagemap")?,
    };
    let mappings = fs::read_to_string("/proc/self/maps")?;
    let mut gathered = 0;
    for mapping in mappings.lines().filter_map(private_memory) {
        let first = mapping.start.next_multiple_of(size);
        for start in (first..mapping.end).step_by(size) {
            if start + size <= mapping.end && pages.are_dense(start)? && collapse(start, size) {
                gathered += size;
            }
        }
    }
    Ok(gathered)
}

/// The addresses of a line of `/proc/self/maps`, if it is of memory that a program has allocated.
fn private_memory(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_private = fields.next()? == "rw-p";
    let is_of_no_file = fields.nth(2)? == "0";
    let is_heap = fields
        .next()
        .is_none_or(|name| name == "[heap]" || name.starts_with("[anon"));
    if !(is_private && is_of_no_file && is_heap) {
        return None;
    }
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

/// Ranges of the size of a huge page.
struct Pages {
    size: usize,
    map: File,
}

impl Pages {
    /// Whether nearly all small pages from `start` on are there, so that a huge one takes hardly more.
    fn are_dense(&self, start: usize) -> io::Result<bool> {
        let page = rustix::param::page_size();
        let count = self.size / page;
        let mut entries = vec![0; count * size_of::<u64>()];
        let place = start / page * size_of::<u64>();
        self.map.read_exact_at(&mut entries, place as u64)?;
        let ours = entries
            .chunks_exact(size_of::<u64>())
            .filter_map(|entry| Some(u64::from_ne_bytes(entry.try_into().ok()?)))
            .filter(|entry| entry & PRESENT != 0 && entry & EXCLUSIVE != 0);
        Ok(ours.count() >= count - count / 8)
    }
}

/// Have the kernel put the pages of a range into a huge one; gives whether it has.
#[cfg(target_os = "linux")]
fn collapse(start: usize, size: usize) -> bool {
    /// `MADV_COLLAPSE` of `linux/mman.h` (Linux 6.1), which not every C library has.
    const COLLAPSE: std::ffi::c_int = 25;
    let address = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: what the program finds at these addresses stays as it is, whatever is there by now.
    unsafe { libc::madvise(address, size, COLLAPSE) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn collapse(_start: usize, _size: usize) -> bool {
    false
}
