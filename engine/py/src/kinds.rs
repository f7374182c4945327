//! Small looks and calls that PyO3 has no name for.

use pyo3::ffi;
use pyo3::prelude::*;

/// Whether it is a coroutine of an `async def` function.
pub fn is_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the call only compares the type of a live object.
    unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) != 0 }
}

/// Whether it is an iterator: what `next` can be called with.
pub fn is_iterator(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the call only looks at the type of a live object.
    unsafe { ffi::PyIter_Check(object.as_ptr()) != 0 }
}

/// `function(first, second)`, without a tuple of arguments or a bound method in between.
pub fn call_with_two<'py>(
    function: &Bound<'py, PyAny>,
    first: &Bound<'py, PyAny>,
    second: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let arguments = [first.as_ptr(), second.as_ptr()];
    // SAFETY: both arguments are live for the call; it gives a new reference, or an exception.
    unsafe {
        let result =
            ffi::PyObject_Vectorcall(function.as_ptr(), arguments.as_ptr(), arguments.len(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(function.py(), result)
    }
}
