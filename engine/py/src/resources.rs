//! What the engine knows of a resource's class, so that it need not ask Python at each request.
//!
//! A profile is kept per class and holds for one state of that class: CPython numbers the states of a type
//! (`tp_version_tag`), gives a new number when an attribute of the type or of a base changes, and never uses a number
//! again. What an instance has in its own `__dict__` is looked at each time, so a program may override in every
//! way that Python has; where a class has its own way of looking attributes up, nothing is assumed.

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyFunction, PyInt, PyString, PyTuple, PyType};

use crate::asgi::ASGIApplication;
use crate::kinds::{only_children, own_attributes, version_of};
use crate::lock::Lock;
use crate::upstream::Forward;
use crate::wsgi::Gateway;

/// Classes whose profiles are kept at a time; a program with more of them in use only loses speed.
const PLACES: usize = 64;

/// The methods whose render functions are kept.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

/// What is known of a class.
pub struct Profile {
    class: usize,
    version: u32,
    /// `getChildWithDefault` is the stock one.
    pub stock_child: bool,
    /// `getChild` is the stock one, too: what is not among the children is not there.
    pub stock_miss: bool,
    /// `render` is the stock one.
    pub stock_render: bool,
    /// `render` passes requests on to another server, as the engine can do itself.
    pub forwards: bool,
    /// So does `getChild` for what is not among the children.
    pub forwards_rest: bool,
    /// An instance's own `render` may be an application that the engine calls itself.
    pub has_application: bool,
    /// It renders as `WSGIResource` does.
    is_gateway: bool,
    /// It has a `render` at all: an object of it is a resource, not an awaitable of one.
    pub renders: bool,
    /// `isLeaf`, if that is a plain number of the class.
    pub leaf: Option<bool>,
    /// What it wants done with bodies, if that is said by plain values of the class.
    pub body: Option<BodyWish>,
    /// Answers of its files may be kept: see `keeps_files`.
    pub keeps_files: bool,
    /// The plain functions `render_GET` and so on.
    functions: [Option<Py<PyAny>>; METHODS.len()],
}

/// What a resource wants done with the bodies of its requests.
#[derive(Clone, Copy, Default)]
pub struct BodyWish {
    /// Call the program before the body has arrived.
    pub streams: bool,
    /// The longest body allowed, if it says so.
    pub limit: Option<Option<u64>>,
}

impl BodyWish {
    /// The wish that the values of `streamsBody` and `maxBody` amount to.
    pub fn new(
        streams: Option<&Bound<'_, PyAny>>,
        limit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let streams = match streams {
            Some(streams) => streams.is_truthy()?,
            None => false,
        };
        let limit = match limit {
            Some(limit) if !limit.is_none() => {
                let limit: f64 = limit.extract()?;
                // Infinity is no limit at all; the cast saturates.
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "saturates"
                )]
                let bytes = limit.is_finite().then_some(limit as u64);
                Some(bytes)
            }
            _ => None,
        };
        Ok(Self { streams, limit })
    }
}

/// Profiles by class.
pub struct Profiles {
    places: Lock<Vec<Option<Profile>>>,
}

/// An instance and what is known of its class.
pub struct Known<'py> {
    /// The instance's own `children`.
    pub children: Option<Bound<'py, PyAny>>,
    /// `getChildWithDefault` is the stock one, for this instance too.
    pub stock_child: bool,
    /// `getChild` is the stock one as well.
    pub stock_miss: bool,
    /// The rest of the path, too, is passed on to another server.
    pub forwards_rest: bool,
    /// `isLeaf`, if it is a plain number of the class or one of the instance's own.
    pub leaf: Option<bool>,
    /// What it wants done with bodies, if only its class says so.
    pub body: Option<BodyWish>,
    /// Answers of its files may be kept, as far as its class says.
    pub keeps_files: bool,
}

impl Profiles {
    /// None yet.
    pub fn new() -> Self {
        Self {
            places: Lock::new((0..PLACES).map(|_| None).collect()),
        }
    }

    /// Use the profile of `object`'s class, made if need be; `None` where nothing can be assumed.
    fn with<R>(
        &self,
        object: &Bound<'_, PyAny>,
        stock: Stock<'_, '_>,
        use_it: impl FnOnce(&Profile) -> R,
    ) -> PyResult<Option<R>> {
        let py = object.py();
        // SAFETY: the type of a live object is alive; its fields are only read, by a thread that is attached.
        let (class, version, plain) = unsafe {
            let class = ffi::Py_TYPE(object.as_ptr());
            (
                class as usize,
                version_of(class),
                has_plain_attributes(class),
            )
        };
        if version == 0 || !plain {
            return Ok(None);
        }
        let place = (class >> 4) % PLACES;
        {
            let places = self.places.lock(py);
            if let Some(Some(profile)) = places.get(place) {
                if profile.class == class && profile.version == version {
                    return Ok(Some(use_it(profile)));
                }
            }
        }
        let profile = Profile::of(&object.get_type(), class, version, stock)?;
        let result = use_it(&profile);
        let old = self
            .places
            .lock(py)
            .get_mut(place)
            .and_then(|slot| slot.replace(profile));
        drop(old);
        Ok(Some(result))
    }

    /// What traversal must know of `object`; `None` where it must be asked for everything.
    pub fn known<'py>(
        &self,
        object: &Bound<'py, PyAny>,
        stock: Stock<'_, '_>,
    ) -> PyResult<Option<Known<'py>>> {
        let py = object.py();
        let facts = self.with(object, stock, |p| {
            (
                p.stock_child,
                p.stock_miss,
                p.forwards_rest,
                p.leaf,
                p.body,
                p.keeps_files,
            )
        })?;
        let Some((stock_child, stock_miss, forwards_rest, leaf, body, keeps_files)) = facts else {
            return Ok(None);
        };
        let own = own_attributes(object)?;
        if let Some(children) = only_children(&own) {
            return Ok(Some(Known {
                children: Some(children),
                stock_child,
                stock_miss,
                forwards_rest: false,
                leaf,
                body,
                keeps_files,
            }));
        }
        let own_leaf = own.get_item(intern!(py, "isLeaf"))?;
        let leaf = match (own_leaf, leaf) {
            (Some(value), Some(_)) => Some(value.is_truthy()?),
            (_, leaf) => leaf,
        };
        let forwards_rest = forwards_rest && forward_of(&own)?.is_some();
        Ok(Some(Known {
            children: own.get_item(intern!(py, "children"))?,
            stock_child: stock_child && !own.contains(intern!(py, "getChildWithDefault"))?,
            stock_miss: false,
            forwards_rest,
            leaf,
            body: None,
            keeps_files,
        }))
    }

    /// Whether an object of this class is surely a resource.
    pub fn renders(&self, object: &Bound<'_, PyAny>, stock: Stock<'_, '_>) -> PyResult<bool> {
        Ok(self.with(object, stock, |p| p.renders)?.unwrap_or(false))
    }

    /// How `object` renders `method`, as far as its class says so and the instance has nothing of its own.
    pub fn renderer<'py>(
        &self,
        object: &Bound<'py, PyAny>,
        method: &[u8],
        stock: Stock<'_, '_>,
    ) -> PyResult<Renderer<'py>> {
        let py = object.py();
        let index = METHODS.iter().position(|m| m.as_bytes() == method);
        let found = self.with(object, stock, |p| {
            let function = index.and_then(|index| p.functions.get(index)?.as_ref());
            let function = function.filter(|_| p.stock_render);
            (
                function.map(|f| (f.bind(py).clone(), p.keeps_files)),
                p.forwards,
                p.has_application,
                p.is_gateway,
            )
        })?;
        match found {
            Some((_, _, _, true)) => {
                if own_attributes(object)?.contains(intern!(py, "render"))? {
                    return Ok(Renderer::Unknown);
                }
                let gateway = object.cast::<Gateway>().ok().cloned();
                Ok(gateway.map_or(Renderer::Unknown, Renderer::Gateway))
            }
            Some((Some((function, keeps_files)), ..)) => {
                let own = own_attributes(object)?;
                if own.is_empty() || only_children(&own).is_some() {
                    return Ok(Renderer::Function(function, keeps_files));
                }
                if own.contains(intern!(py, "render"))? || own.contains(render_name(py, method))? {
                    return Ok(Renderer::Unknown);
                }
                Ok(Renderer::Function(function, keeps_files))
            }
            Some((None, _, true, _)) => {
                let own = own_attributes(object)?.get_item(intern!(py, "render"))?;
                let application = own.and_then(|own| own.cast_into_exact().ok());
                Ok(application.map_or(Renderer::Unknown, Renderer::Application))
            }
            Some((None, true, ..)) => {
                let forward = forward_of(&own_attributes(object)?)?;
                Ok(forward.map_or(Renderer::Unknown, Renderer::Forward))
            }
            _ => Ok(Renderer::Unknown),
        }
    }
}

/// How a resource answers.
pub enum Renderer<'py> {
    /// By calling this plain function; whether the class keeps answers of files.
    Function(Bound<'py, PyAny>, bool),
    /// By passing the request on.
    Forward(Bound<'py, Forward>),
    /// By calling this application.
    Application(Bound<'py, ASGIApplication>),
    /// By calling the application of this one, which it is itself.
    Gateway(Bound<'py, Gateway>),
    /// As its `render` says.
    Unknown,
}

/// The `Forward` of an instance of `ReverseProxyResource` with these attributes, if none of them overrides what the
/// engine does for it.
fn forward_of<'py>(own: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, Forward>>> {
    let py = own.py();
    for name in [
        intern!(py, "render"),
        intern!(py, "getChild"),
        intern!(py, "proxyClientFactoryClass"),
    ] {
        if own.contains(name)? {
            return Ok(None);
        }
    }
    let forward = own.get_item(intern!(py, "_forward"))?;
    Ok(forward.and_then(|forward| forward.cast_into_exact::<Forward>().ok()))
}

/// The functions of `sennit.web.resource.Resource` whose work the engine does itself.
#[derive(Clone, Copy)]
pub struct Stock<'a, 'py> {
    /// `getChildWithDefault`.
    pub child: &'a Bound<'py, PyAny>,
    /// `getChild`.
    pub miss: &'a Bound<'py, PyAny>,
    /// `render`.
    pub render: &'a Bound<'py, PyAny>,
}

impl Profile {
    fn of(
        class: &Bound<'_, PyType>,
        address: usize,
        version: u32,
        stock: Stock<'_, '_>,
    ) -> PyResult<Self> {
        let py = class.py();
        let mro = class.mro();
        let is = |name: &Bound<'_, PyString>, function: &Bound<'_, PyAny>| -> PyResult<bool> {
            Ok(attribute(&mro, name)?.is_some_and(|found| found.is(function)))
        };
        let leaf = match attribute(&mro, intern!(py, "isLeaf"))? {
            Some(value) if value.is_instance_of::<PyInt>() => Some(value.is_truthy()?),
            _ => None,
        };
        let streams = attribute(&mro, intern!(py, "streamsBody"))?;
        let limit = attribute(&mro, intern!(py, "maxBody"))?;
        let plain = |value: &Option<Bound<'_, PyAny>>| {
            value.as_ref().is_none_or(|v| {
                v.is_none() || v.is_instance_of::<PyInt>() || v.is_instance_of::<PyFloat>()
            })
        };
        let body = if plain(&streams) && plain(&limit) {
            Some(BodyWish::new(streams.as_ref(), limit.as_ref())?)
        } else {
            None
        };
        let mut functions = std::array::from_fn(|_| None);
        for (slot, method) in functions.iter_mut().zip(METHODS) {
            *slot = attribute(&mro, &render_name(py, method.as_bytes()))?
                .filter(|found| found.is_exact_instance_of::<PyFunction>())
                .map(Bound::unbind);
        }
        // `ReverseProxyResource` says what its own ones are; a subclass may have others.
        let own = |name: &Bound<'_, PyString>, place: usize| -> PyResult<bool> {
            let Some(marks) = attribute(&mro, intern!(py, "_forwarding"))? else {
                return Ok(false);
            };
            is(name, &marks.get_item(place)?)
        };
        let forwards =
            own(intern!(py, "render"), 0)? && own(intern!(py, "proxyClientFactoryClass"), 2)?;
        let forwards_rest = forwards && own(intern!(py, "getChild"), 1)?;
        Ok(Self {
            class: address,
            version,
            forwards,
            forwards_rest,
            is_gateway: is(
                intern!(py, "render"),
                &py.get_type::<Gateway>().getattr(intern!(py, "render"))?,
            )?,
            has_application: attribute(&mro, intern!(py, "_hasApplication"))?.is_some(),
            stock_child: is(intern!(py, "getChildWithDefault"), stock.child)?,
            stock_miss: is(intern!(py, "getChild"), stock.miss)?,
            stock_render: is(intern!(py, "render"), stock.render)?,
            renders: attribute(&mro, intern!(py, "render"))?.is_some(),
            leaf,
            body,
            keeps_files: keeps_files(class, &mro)?,
            functions,
        })
    }
}

/// Whether the class itself says, by `_kept`, that answers of its files may be kept, and still has all the functions by
/// which it found them: `_kept` is a dict of those.
fn keeps_files(class: &Bound<'_, PyType>, mro: &Bound<'_, PyTuple>) -> PyResult<bool> {
    let py = class.py();
    let namespace = class.getattr(intern!(py, "__dict__"))?;
    if !namespace.contains(intern!(py, "_kept"))? {
        return Ok(false);
    }
    let kept = namespace.get_item(intern!(py, "_kept"))?;
    let Ok(functions) = kept.cast_into_exact::<PyDict>() else {
        return Ok(false);
    };
    for (name, function) in functions {
        let now = attribute(mro, name.cast::<PyString>()?)?;
        if !now.is_some_and(|now| now.is(&function)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An attribute as it stands in the class that defines it, unbound.
pub fn attribute<'py>(
    mro: &Bound<'py, PyTuple>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    for base in mro.iter() {
        let namespace = base.getattr(intern!(mro.py(), "__dict__"))?;
        if namespace.contains(name)? {
            return namespace.get_item(name).map(Some);
        }
    }
    Ok(None)
}

/// Whether objects of `class` have a `__dict__` and look attributes up as usual.
///
/// # Safety
/// `class` must be a live type, and the thread attached to Python.
unsafe fn has_plain_attributes(class: *mut ffi::PyTypeObject) -> bool {
    let generic: ffi::getattrofunc = ffi::PyObject_GenericGetAttr;
    // SAFETY: as the caller promises.
    unsafe {
        (*class).tp_dictoffset != 0
            && (*class)
                .tp_getattro
                .is_some_and(|own| std::ptr::fn_addr_eq(own, generic))
    }
}

/// The name of the method that renders `method`.
pub fn render_name<'py>(py: Python<'py>, method: &[u8]) -> Bound<'py, PyString> {
    match method {
        b"GET" => intern!(py, "render_GET").clone(),
        b"POST" => intern!(py, "render_POST").clone(),
        b"HEAD" => intern!(py, "render_HEAD").clone(),
        b"PUT" => intern!(py, "render_PUT").clone(),
        b"DELETE" => intern!(py, "render_DELETE").clone(),
        b"PATCH" => intern!(py, "render_PATCH").clone(),
        b"OPTIONS" => intern!(py, "render_OPTIONS").clone(),
        other => PyString::new(py, &format!("render_{}", String::from_utf8_lossy(other))),
    }
}
