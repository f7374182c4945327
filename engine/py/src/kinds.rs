//! Small looks and calls that PyO3 has no name for.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// How many references there are to it. With threads side by side they may be others by now.
pub fn holders<T>(object: &Py<T>) -> isize {
    // SAFETY: the object is alive, and reading its count changes nothing.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// Whether it is a coroutine of an `async def` function.
pub fn is_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the type of a live object is compared with one that is always there. `PyCoro_CheckExact` of the bindings asks
    // for its bases, too.
    unsafe { ffi::Py_IS_TYPE(object.as_ptr(), &raw mut ffi::PyCoro_Type) != 0 }
}

/// Whether it is an iterator: what `next` can be called with.
pub fn is_iterator(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the call only looks at the type of a live object.
    unsafe { ffi::PyIter_Check(object.as_ptr()) != 0 }
}

/// `function(*arguments)`, without a tuple of them or a bound method in between.
pub fn call_with<'py, const COUNT: usize>(
    function: &Bound<'py, PyAny>,
    arguments: [&Bound<'py, PyAny>; COUNT],
) -> PyResult<Bound<'py, PyAny>> {
    let arguments = arguments.map(|argument| argument.as_ptr());
    // SAFETY: the arguments are live for the call; it gives a new reference, or an exception.
    unsafe {
        let result = ffi::PyObject_Vectorcall(
            function.as_ptr(),
            arguments.as_ptr(),
            arguments.len(),
            std::ptr::null_mut(),
        );
        Bound::from_owned_ptr_or_err(function.py(), result)
    }
}

/// The number of the state that an object's class is in (`tp_version_tag`), 0 for none: CPython gives a new one when an
/// attribute of the class or of a base changes, and never uses one again.
pub fn class_version(object: &Bound<'_, PyAny>) -> u32 {
    // SAFETY: the type of a live object is alive.
    unsafe { version_of(ffi::Py_TYPE(object.as_ptr())) }
}

/// The number of the state that a class is in.
///
/// # Safety
/// `class` must be a live type, and the thread attached to Python.
pub unsafe fn version_of(class: *mut ffi::PyTypeObject) -> u32 {
    // SAFETY: as the caller promises. With the GIL nobody writes to it meanwhile; without, CPython writes it whole, and
    // a number that holds no more a moment later is what a thread that has looked a moment before would have seen.
    unsafe {
        if cfg!(Py_GIL_DISABLED) {
            AtomicU32::from_ptr(&raw mut (*class).tp_version_tag).load(Ordering::Acquire)
        } else {
            (*class).tp_version_tag
        }
    }
}

/// Whether nobody but the holder of `reference` can get at its object again: no other reference, strong or weak.
pub fn is_only_reference<T>(reference: &Bound<'_, T>) -> bool {
    if cfg!(Py_GIL_DISABLED) {
        // Other threads may be counting at this moment.
        return false;
    }
    let object = reference.as_ptr();
    // SAFETY: the object is alive and the GIL held. Where a type has weak references, their list's head stands at
    // `tp_weaklistoffset` from the object (CPython's own PyObject_GET_WEAKREFS_LISTPTR).
    unsafe {
        if ffi::Py_REFCNT(object) != 1 {
            return false;
        }
        match (*ffi::Py_TYPE(object)).tp_weaklistoffset {
            0 => true,
            offset => (*object
                .cast::<u8>()
                .offset(offset)
                .cast::<*mut ffi::PyObject>())
            .is_null(),
        }
    }
}

/// The `__dict__` of an object that has one.
pub fn own_attributes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    // SAFETY: called with a live object; gives a new reference to a dict, or an exception.
    unsafe {
        let dict = ffi::PyObject_GenericGetDict(object.as_ptr(), std::ptr::null_mut());
        Ok(Bound::from_owned_ptr_or_err(object.py(), dict)?.cast_into::<PyDict>()?)
    }
}

/// Its `children` if an object has that attribute and no other, as most resources; else the attributes to be asked.
pub fn only_children<'py>(own: &Bound<'py, PyDict>) -> Option<Bound<'py, PyAny>> {
    if own.len() != 1 {
        return None;
    }
    let name = intern!(own.py(), "children");
    if cfg!(Py_GIL_DISABLED) {
        // Another thread may set attributes meanwhile, so there is no walking through them.
        return own.get_item(name).ok().flatten();
    }
    let (mut place, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: called with a live dict, and nothing changes it before the value is held, as the GIL is. A walk by the
    // dict's own iterator costs more than looking the name up.
    unsafe {
        let found = ffi::PyDict_Next(own.as_ptr(), &raw mut place, &raw mut key, &raw mut value);
        // Attribute names in programs are interned, as this one: the same text is the same object.
        let is_it = found != 0 && key == name.as_ptr();
        is_it.then(|| Bound::from_borrowed_ptr(own.py(), value))
    }
}

/// Where an object of a class with a `__dict__` keeps it, which is null until it has one: asking for the dict itself
/// would make one, and method calls on an object without are cheaper. `None` where that can't be told.
#[cfg(not(Py_GIL_DISABLED))]
fn attributes_made(object: &Bound<'_, PyAny>) -> Option<*mut ffi::PyObject> {
    extern "C" {
        fn _PyObject_GetDictPtr(object: *mut ffi::PyObject) -> *mut *mut ffi::PyObject;
    }
    // SAFETY: called with a live object; gives the address of its dict's place, valid as long as the object is, or null.
    unsafe { _PyObject_GetDictPtr(object.as_ptr()).as_ref().copied() }
}

/// Whether an object has no attributes of its own.
#[cfg(not(Py_GIL_DISABLED))]
pub fn has_no_attributes(object: &Bound<'_, PyAny>) -> bool {
    attributes_made(object).is_some_and(|own| {
        // SAFETY: a dict of a live object's, or null; the GIL is held.
        own.is_null() || unsafe { ffi::PyDict_Size(own) } == 0
    })
}

/// As above; another thread could be giving it a `__dict__`, or another one.
#[cfg(Py_GIL_DISABLED)]
pub fn has_no_attributes(object: &Bound<'_, PyAny>) -> bool {
    own_attributes(object).is_ok_and(|own| own.is_empty())
}

/// Whether an object has no attributes of its own, and nobody holds its `__dict__` to give it some later.
#[cfg(not(Py_GIL_DISABLED))]
pub fn is_bare(object: &Bound<'_, PyAny>) -> bool {
    attributes_made(object).is_some_and(|own| {
        // SAFETY: as in `has_no_attributes`. The object has one reference to its dict.
        own.is_null() || unsafe { ffi::PyDict_Size(own) == 0 && ffi::Py_REFCNT(own) == 1 }
    })
}

/// Nobody can tell without the GIL.
#[cfg(Py_GIL_DISABLED)]
pub fn is_bare(_object: &Bound<'_, PyAny>) -> bool {
    false
}
