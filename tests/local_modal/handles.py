"""What clients and containers are told of the functions of an app."""

from __future__ import annotations

from modal_proto import api_pb2 as pb

from tests.local_modal.files import MOUNT_HANDLE
from tests.local_modal.records import App, Function
from tests.local_modal.state import State
from tests.local_modal.volumes import metadata_of


def handle_of(function: Function) -> pb.FunctionHandleMetadata:
    """Return the handle of a function, or of one only announced so far."""
    if not function.created and function.precreated is not None:
        return handle(function, function.precreated)
    made = handle(function, function.proto)
    made.is_method = function.proto.is_method
    made.class_parameter_info.CopyFrom(function.proto.class_parameter_info)
    return made


def handle(
    function: Function, told: pb.Function | pb.FunctionPrecreateRequest
) -> pb.FunctionHandleMetadata:
    made = pb.FunctionHandleMetadata(
        function_name=told.function_name,
        function_type=told.function_type,
        web_url=function.web_url,
        definition_id=f"de-{function.id}",
        function_schema=told.function_schema,
        supported_input_formats=told.supported_input_formats,
        supported_output_formats=told.supported_output_formats,
        app_id=function.app_id,
    )
    for name, method in told.method_definitions.items():
        made.method_handle_metadata[name].CopyFrom(
            pb.FunctionHandleMetadata(
                function_name=method.function_name,
                function_type=method.function_type,
                is_method=True,
                use_method_name=name,
                web_url=function.method_urls.get(name, ""),
                function_schema=method.function_schema,
                supported_input_formats=method.supported_input_formats,
                supported_output_formats=method.supported_output_formats,
                app_id=function.app_id,
            )
        )
    return made


def data_of(function: Function) -> pb.FunctionData:
    """Return the definition in the form that answers carry."""
    proto = function.proto
    data = pb.FunctionData(
        module_name=proto.module_name,
        function_name=proto.function_name,
        function_type=proto.function_type,
        timeout_secs=proto.timeout_secs,
        web_url=function.web_url,
        is_class=proto.is_class,
        is_method=proto.is_method,
        class_parameter_info=proto.class_parameter_info,
        experimental_options=proto.experimental_options,
        webhook_config=proto.webhook_config,
        autoscaler_settings=proto.autoscaler_settings,
        schedule=proto.schedule if proto.HasField("schedule") else None,
    )
    for name, method in proto.method_definitions.items():
        data.method_definitions[name].CopyFrom(method)
    for rank, each in enumerate(function.ranked or [proto]):
        data.ranked_functions.add(rank=rank, function=each)
    return data


def layout_of(state: State, app: App) -> pb.AppLayout:
    """Return the ids of all that an app has, so that its containers need not look them up."""
    ids = {*app.functions.values(), *app.classes.values()}
    for function_id in app.functions.values():
        function = state.functions[function_id]
        ids |= {each.object_id for each in function.proto.object_dependencies}
    return pb.AppLayout(
        objects=[object_of(state, each) for each in sorted(ids)],
        function_ids=app.functions,
        class_ids=app.classes,
    )


def object_of(state: State, object_id: str) -> pb.Object:
    made = pb.Object(object_id=object_id)
    kind = object_id.partition("-")[0]
    if kind == "fu":
        made.function_handle_metadata.CopyFrom(handle_of(state.functions[object_id]))
    elif kind == "cs":
        made.class_handle_metadata.CopyFrom(pb.ClassHandleMetadata())
    elif kind == "mo":
        made.mount_handle_metadata.CopyFrom(MOUNT_HANDLE)
    elif kind == "vo":
        made.volume_metadata.CopyFrom(metadata_of(state.volumes[object_id]))
    return made
