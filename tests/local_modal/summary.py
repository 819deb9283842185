"""An app as the server knows it, in plain dictionaries."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict
from modal_proto import api_pb2 as pb

from tests.local_modal.files import environment_of, packages_of, shipped_to
from tests.local_modal.records import Function
from tests.local_modal.state import State

Description = dict[str, Any]


def summary_of(state: State, app_id: str) -> Description:
    """Describe an app, its functions and classes, and all images, Secrets and Volumes."""
    app = state.apps[app_id]
    every = {
        tag.removesuffix(".*"): state.functions[i] for tag, i in sorted(app.functions.items())
    }
    return {
        "app": app.name,
        "app_id": app_id,
        "tags": app.tags,
        "functions": {t: describe(state, f) for t, f in every.items() if not f.proto.is_class},
        "classes": {t: describe(state, f) for t, f in every.items() if f.proto.is_class},
        "build_functions": {
            each.name: describe(state, each)
            for each in state.functions_of(app_id)
            if each.proto.is_builder_function
        },
        "images": {image_id: describe_image(state, image_id) for image_id in state.images},
        "secrets": {secret_id: describe_secret(state, secret_id) for secret_id in state.secrets},
        "volumes": {
            each.id: {"name": each.name, "version": each.version}
            for each in state.volumes.values()
        },
    }


def describe(state: State, function: Function) -> Description:
    """Describe one function, or a class."""
    return {
        "id": function.id,
        **where_it_is(state, function),
        **what_it_needs(function),
        **how_it_runs(function.proto),
        **what_it_has(state, function.proto),
        **how_it_is_called(function),
    }


def where_it_is(state: State, function: Function) -> Description:
    proto = function.proto
    return {
        "module": proto.module_name,
        "qualname": proto.implementation_name,
        "serialized": proto.definition_type == pb.Function.DEFINITION_TYPE_SERIALIZED,
        "source_files": sorted(shipped_to(state, proto)),
    }


def what_it_needs(function: Function) -> Description:
    proto, needs = function.proto, function.proto.resources
    place = proto.scheduler_placement
    ranked = [gpu_of(each.resources.gpu_config) for each in function.ranked]
    return {
        "gpu": ranked or gpu_of(needs.gpu_config),
        "cpu": pair(needs.milli_cpu / 1000, needs.milli_cpu_max / 1000),
        "memory_mib": pair(needs.memory_mb, needs.memory_mb_max),
        "ephemeral_disk_mib": needs.ephemeral_disk_mb or None,
        "cloud": proto.cloud_provider_str or None,
        "regions": list(place.regions),
        "nonpreemptible": place.nonpreemptible,
        "routing_region": proto.routing_region or None,
        "block_network": proto.block_network,
        "restrict_modal_access": proto.untrusted,
        "proxy_id": proto.proxy_id or None,
    }


def gpu_of(config: pb.GPUConfig) -> str | None:
    return f"{config.gpu_type}:{config.count}" if config.count else None


def pair(least: float, most: float) -> list[float] | None:
    return [least, most] if least or most else None


def how_it_runs(proto: pb.Function) -> Description:
    scaling = proto.autoscaler_settings

    def of_scaling(name: str) -> int | None:
        return getattr(scaling, name) if scaling.HasField(name) else None  # type: ignore[arg-type] # any field

    retries = proto.retry_policy if proto.HasField("retry_policy") else None
    return {
        "timeout": proto.timeout_secs,
        "startup_timeout": proto.startup_timeout_secs,
        "retries": as_dict(retries) if retries else None,
        "min_containers": of_scaling("min_containers"),
        "max_containers": of_scaling("max_containers"),
        "buffer_containers": of_scaling("buffer_containers"),
        "scaledown_window": of_scaling("scaledown_window"),
        "single_use_containers": proto.single_use_containers,
        "max_concurrent_inputs": proto.max_concurrent_inputs or None,
        "target_concurrent_inputs": proto.target_concurrent_inputs or None,
        "batch": [proto.batch_max_size, proto.batch_linger_ms] if proto.batch_max_size else None,
        "schedule": schedule_of(proto),
        "enable_memory_snapshot": proto.checkpointing_enabled,
        "experimental_options": dict(proto.experimental_options),
    }


def schedule_of(proto: pb.Function) -> Description | None:
    kind = proto.schedule.WhichOneof("schedule_oneof")
    return {kind: as_dict(getattr(proto.schedule, kind))} if kind else None


def as_dict(message: Any) -> Description:
    made: Description = MessageToDict(message, preserving_proto_field_name=True)
    return made


def what_it_has(state: State, proto: pb.Function) -> Description:
    return {
        "secrets": [describe_secret(state, each) for each in proto.secret_ids],
        "volumes": {
            each.mount_path: {
                "name": state.volumes[each.volume_id].name,
                "read_only": each.read_only,
                "sub_path": each.sub_path or None,
            }
            for each in proto.volume_mounts
        },
        "cloud_bucket_mounts": [each.mount_path for each in proto.cloud_bucket_mounts],
        "image_id": proto.image_id,
        "image_env": environment_of(state, proto.image_id),
        "packages": packages_of(state, proto.image_id),
    }


def how_it_is_called(function: Function) -> Description:
    proto = function.proto
    return {
        "web": describe_web(proto.webhook_config, function.web_url),
        "methods": {
            name: {
                "web": describe_web(each.webhook_config, function.method_urls.get(name, "")),
                "generator": each.function_type == pb.Function.FUNCTION_TYPE_GENERATOR,
            }
            for name, each in sorted(proto.method_definitions.items())
        },
        "parameters": [each.name for each in proto.class_parameter_info.schema],
    }


def describe_web(config: pb.WebhookConfig, url: str) -> Description | None:
    if not config.type:
        return None
    return {
        "type": pb.WebhookType.Name(config.type).removeprefix("WEBHOOK_TYPE_").lower(),
        "method": config.method or None,
        "label": config.requested_suffix or None,
        "custom_domains": [each.name for each in config.custom_domains],
        "requires_proxy_auth": config.requires_proxy_auth,
        "local_url": url,
    }


def describe_secret(state: State, secret_id: str) -> Description:
    names = {known: name for name, known in state.secret_names.items()}
    return {"name": names.get(secret_id), "keys": sorted(state.secrets.get(secret_id, {}))}


def describe_image(state: State, image_id: str) -> Description:
    image = state.images[image_id]
    proto = image.proto
    made: Description = {
        "base": {each.docker_tag: each.image_id for each in proto.base_images},
        "commands": list(proto.dockerfile_commands),
        "packages": packages_of(state, image_id),
    }
    if proto.HasField("build_function"):
        function = state.functions.get(image.build_function_id)
        made["build_function"] = function.name if function else image.build_function_id
    if proto.secret_ids:
        made["secrets"] = [describe_secret(state, each) for each in proto.secret_ids]
    if proto.gpu_config.count:
        made["gpu"] = gpu_of(proto.gpu_config)
    return made
