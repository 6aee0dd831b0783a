"""Drafts: functions whose code Numba writes, and leaves to whoever calls them to be made fast.

    function --> types, LLVM code --> draft --.
    function --> types, LLVM code --> draft --+--> one module --> optimised once --> machine code, kept on disk
    entry point -----------------------------'

Numba as it comes optimises each function together with all that it calls, and writes machine code for it and for a
Python wrapper; then does the same again for its callers, up to the top. In a deep tree most of the time goes there.
Here only entry points, which C or Python calls, are optimised and become machine code, each with all drafts below it,
once.

Owner: `compiled.py`. A draft called from Python raises TypeError. Thread-safe: under Numba's lock, as it is.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from numba.core import codegen, typed_passes, types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass

_dynfunc: Any = __import__("numba._dynfunc", fromlist=["make_function"])
_JITCodeLibrary: Any = codegen.JITCodeLibrary
_NativeLowering: Any = typed_passes.NativeLowering
_CompilerBase: Any = CompilerBase

_NEEDLESS: Final = {
    "WithLifting", "InlineClosureLikes", "RewriteDynamicRaises", "MakeFunctionToJitFunction", "InlineInlinables",
    "FindLiterallyCalls", "LiteralUnroll", "LiteralPropagationSubPipelinePass", "InlineOverloads", "NopythonRewrites",
    "NoPythonSupportedFeatureValidation", "AnnotateTypes", "DumpParforDiagnostics",
}  # fmt: skip
"""Passes for what the kernel has none of: closures, contexts, exceptions, array expressions, literal loops."""


_REFUSE: Final = ctypes.cast(ctypes.pythonapi.PyErr_BadArgument, ctypes.c_void_p).value
"""What runs when Python calls a draft: it sets a TypeError and returns 0."""


class _DraftLibrary(_JITCodeLibrary):  # type: ignore[misc]
    """LLVM code as it was written."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage.name == "external":
                function.linkage = "linkonce_odr"
        self._shared_module = self._final_module
        self._finalized = True


class _WholeLibrary(_JITCodeLibrary):  # type: ignore[misc]
    """An entry point with every draft that it needs."""

    _linking_libraries: list[Any]

    def finalize(self) -> None:
        found: dict[Any, None] = {}
        waiting = list(reversed(self._linking_libraries))
        while waiting:
            library = waiting.pop()
            if library not in found:
                found[library] = None
                if isinstance(library, _DraftLibrary):
                    waiting.extend(reversed(library._linking_libraries))
        self._linking_libraries = list(found)
        super().finalize()


def _library(state: Any, kind: Any) -> Any:
    made = kind(state.targetctx.codegen(), state.func_id.func_qualname)
    made.enable_object_caching()
    return made


@register_pass(mutates_CFG=True, analysis_only=False)
class _DraftLowering(_NativeLowering):  # type: ignore[misc]
    _name = "draft_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = library = _library(state, _DraftLibrary)
        state.flags.no_compile = True
        super().run_pass(state)
        result = state["cr"]
        name = result.fndesc.qualname.split(".")[-1]
        module = result.fndesc.lookup_module()
        function = _dynfunc.make_function(module, name, "", _REFUSE, result.env, (library,))
        state.targetctx.insert_user_function(function, result.fndesc, [library])
        state["cr"] = result._replace(cfunc=function)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _WholeLowering(_NativeLowering):  # type: ignore[misc]
    _name = "whole_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _library(state, _WholeLibrary)
        return bool(super().run_pass(state))


def _pipeline(state: Any, lowering: Any) -> Any:
    made = DefaultPassBuilder.define_nopython_pipeline(state)
    kept: list[Any] = []
    for kind, about in made.passes:
        if kind is _NativeLowering:
            kept.append((lowering, about))
        elif kind.__name__ not in _NEEDLESS and kind not in [other for other, _ in kept]:
            kept.append((kind, about))
    made.passes = kept
    made.finalize()
    return made


def _short_name(kind: Any) -> str:
    return f"{type(kind).__name__}#{kind._code}"


@contextmanager
def short_names() -> Iterator[None]:
    """Let Numba call records by a number: it writes down each function's types for every pass over it, and written out
    in full the kernel's state is longer than the kernel."""
    kinds: list[Any] = [types.Record, types.NestedArray]
    before = [kind.__repr__ for kind in kinds]
    for kind in kinds:
        kind.__repr__ = _short_name
    try:
        yield
    finally:
        for kind, written in zip(kinds, before, strict=True):
            kind.__repr__ = written


def canonical(dispatcher: Any) -> None:
    """Let calls of `dispatcher` share one compiled function, whatever whole numbers they are made with.

    Numba compiles a function anew for a constant, a byte and a word; here all but unsigned 64-bit numbers become int64.
    """
    of_types = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        return of_types([_canonical(kind) for kind in args], {name: _canonical(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = get_call_template


def _canonical(kind: Any) -> Any:
    kind = types.unliteral(kind)
    if isinstance(kind, types.Integer) and kind != types.uint64:
        return types.int64
    return kind


class Draft(_CompilerBase):  # type: ignore[misc]
    """Numba's pipeline for inner functions."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        return [_pipeline(self.state, _DraftLowering)]


class Whole(_CompilerBase):  # type: ignore[misc]
    """Numba's pipeline for entry points."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        return [_pipeline(self.state, _WholeLowering)]
