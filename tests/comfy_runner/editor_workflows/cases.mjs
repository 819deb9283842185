// The workflows of this folder: some drawn in the editor by these functions, some written out.

/** The usual start: a checkpoint, two prompts, an empty latent, a sampler, a decoder, a save. */
const start = `
  const model = add('CheckpointLoaderSimple', { ckpt_name: 'sdxl.safetensors' })
  const good = add('CLIPTextEncode', { text: 'a cat' }, { clip: [model, 1] })
  const bad = add('CLIPTextEncode', { text: 'blurry' }, { clip: [model, 1] })
  const latent = add('EmptyLatentImage', { width: 768 })
  const sampler = add('KSampler', { seed: 42, steps: 4 }, {
    model: [model, 0], positive: [good, 0], negative: [bad, 0], latent_image: [latent, 0] })
  const decoded = add('VAEDecode', {}, { samples: [sampler, 0], vae: [model, 2] })
  const save = add('SaveImage', { filename_prefix: 'x/y' }, { images: [decoded, 0] })
`
/** A drawing that begins with the usual start. */
const usual = body => `({ graph, add, set, link, wrap, show, inside }) => { ${start}; (${body})({
  graph, add, set, link, wrap, show, inside, model, good, bad, latent, sampler, decoded, save }) }`

export const drawn = {
  text_to_image: usual(() => {}),
  widget_values: ({ add }) => {
    add('KSamplerAdvanced', { add_noise: 'disable', noise_seed: 9, cfg: 3.5, scheduler: 'karras', end_at_step: 7 })
    add('ImageScale', { upscale_method: 'bicubic', crop: 'center', width: 0 })
    add('StringConcatenate', { string_a: 'one\r\ntwo\n', string_b: 'ü "q" \\n', delimiter: ', ' })
    add('ImageBlend', { blend_factor: 0.25, blend_mode: 'screen' })
  },
  controls: ({ add, set }) => {
    const one = add('ProbeControls', { seed: 8, choice: 'y', count: 6 })
    one.widgets.filter(w => w.name === 'control_after_generate').forEach(w => (w.value = 'increment'))
    set(one, 'control_filter_list', 'x')
    set(add('KSampler', { seed: 5 }), 'control_after_generate', 'fixed')
    add('PrimitiveInt', { value: -12 })
  },
  input_order: ({ add }) => {
    add('ProbeOrder', { flag: false, kind: 'two', line: 'abc', text: 'def' })
    add('ProbeForced', { first: 11, last: 'w' })
    add('ProbeLists', { picks: ['c', 'a'], tint: '#00ff00', body: 'lines\nof text' })
  },
  titles: usual(({ sampler, save }) => { sampler.title = 'My "sampler"'; save.title = 'ÿ' }),
  long_numbers: ({ add }) => {
    add('KSampler', { seed: 9007199254740991, cfg: 0.1, denoise: 0.30000000000000004 })
    add('PrimitiveFloat', { value: 1e-7 })
  },
  muted: usual(({ good, save }) => { good.mode = 2; save.mode = 2 }),
  muted_widget_source: usual(({ add, link, sampler }) => {
    const steps = add('PrimitiveInt', { value: 7 })
    link(steps, 0, sampler, 'steps')
    steps.mode = 2
  }),
  bypassed: usual(({ add, link, model, good, sampler }) => {
    const lora = add('LoraLoader', { lora_name: 'style.safetensors' }, { model: [model, 0], clip: [model, 1] })
    link(lora, 0, sampler, 'model')
    link(lora, 1, good, 'clip')
    lora.mode = 4
  }),
  bypassed_by_type: ({ add }) => {
    const image = add('LoadImage', { image: 'cat.png' })
    const scaled = add('ImageScale', {}, { image: [image, 0] })
    const blended = add('ImageBlend', {}, { image1: [scaled, 0], image2: [image, 0] })
    add('PreviewImage', {}, { images: [blended, 0] })
    scaled.mode = blended.mode = 4
  },
  bypassed_without_a_match: ({ add }) => {
    const empty = add('EmptyLatentImage')
    const decoded = add('VAEDecode', {}, { samples: [empty, 0] })
    add('PreviewImage', {}, { images: [decoded, 0] })
    empty.mode = 4
  },
  bypassed_into_a_widget: usual(({ add, link, sampler }) => {
    const number = add('PrimitiveInt', { value: 30 })
    const any = add('ProbeAny', {}, { any: [number, 0], number: [number, 0] })
    any.mode = 4
    link(any, 0, sampler, 'steps')
  }),
  bypassed_any_type: ({ add }) => {
    const image = add('LoadImage', { image: 'dog.png' })
    const any = add('ProbeAny', {}, { any: [image, 1], either: [image, 0], mask: [image, 1] })
    for (const output of [0, 1, 3]) add('PreviewImage', {}, { images: [any, output] })
    add('PreviewAny', {}, { source: [any, 2] }).title = 'shown'
    any.mode = 4
  },
  bypassed_in_a_row: usual(({ add, link, model, sampler }) => {
    const one = add('LoraLoaderModelOnly', {}, { model: [model, 0] })
    const two = add('LoraLoaderModelOnly', {}, { model: [one, 0] })
    const three = add('LoraLoaderModelOnly', { strength_model: 0.5 }, { model: [two, 0] })
    link(three, 0, sampler, 'model')
    one.mode = two.mode = 4
  }),
  reroutes: usual(({ add, link, model, good, bad, decoded }) => {
    const one = add('Reroute', {}, { '': [model, 1] })
    const two = add('Reroute', {}, { '': [one, 0] })
    link(one, 0, good, 'clip')
    link(two, 0, bad, 'clip')
    const vae = add('Reroute', {}, { '': [model, 2] })
    link(vae, 0, decoded, 'vae')
  }),
  reroute_from_nothing: usual(({ add, link, bad }) => link(add('Reroute'), 0, bad, 'clip')),
  reroute_bypassed: usual(({ add, link, model, bad, good }) => {
    const one = add('Reroute', {}, { '': [model, 1] })
    link(one, 0, bad, 'clip')
    const two = add('Reroute', {}, { '': [model, 1] })
    link(two, 0, good, 'clip')
    one.mode = 4
    two.mode = 2
  }),
  converted_widgets: usual(({ add, link, sampler, latent }) => {
    link(add('PrimitiveInt', { value: 12 }), 0, sampler, 'steps')
    link(add('PrimitiveFloat', { value: 2.5 }), 0, sampler, 'cfg')
    link(add('PrimitiveInt', { value: 640 }), 0, latent, 'width')
  }),
  primitives: usual(({ add, link, set, sampler, good, latent }) => {
    const seed = add('PrimitiveNode')
    link(seed, 0, sampler, 'seed')
    set(seed, 'value', 1234)
    const text = add('PrimitiveNode')
    link(text, 0, good, 'text')
    set(text, 'value', 'from a primitive\r\nnode')
    const choice = add('PrimitiveNode')
    link(choice, 0, sampler, 'sampler_name')
    set(choice, 'value', 'dpmpp_2m')
    add('PrimitiveNode')
    add('PrimitiveNode').title = 'alone'
    latent.title = 'size'
  }),
  primitive_for_many: ({ add, link, set }) => {
    const size = add('PrimitiveNode')
    for (const type of ['EmptyLatentImage', 'ImageScale']) link(size, 0, add(type), 'width')
    set(size, 'value', 1000)
  },
  primitive_rounded: ({ add, link, set }) => {
    const one = add('PrimitiveNode')
    link(one, 0, add('ProbeControls'), 'end')
    set(one, 'value', 0.333)
    const two = add('PrimitiveNode')
    link(two, 0, add('ProbeControls'), 'end')
    set(two, 'value', 9)
    const three = add('PrimitiveNode')
    link(three, 0, add('ProbeAny'), 'number')
    set(three, 'value', 13)
  },
  primitive_muted: usual(({ add, link, set, sampler }) => {
    const steps = add('PrimitiveNode')
    link(steps, 0, sampler, 'steps')
    set(steps, 'value', 33)
    steps.mode = 2
  }),
  primitive_for_a_socket: ({ add, link }) => link(add('PrimitiveNode'), 0, add('ProbeForced'), 'gone'),
  notes: usual(({ add }) => { add('Note', { text: 'hello' }); add('MarkdownNote', { text: '# hi' }) }),
  prompts_with_choices: ({ add }) => {
    add('CLIPTextEncode', { text: 'a {cat} // not this\nand {a {small|small} dog} \\{kept\\} /* nor\nthis */ ok' })
    add('ProbeOrder', { line: '{only}', text: 'http://gone {un{closed' })
    add('StringConcatenate', { string_a: '{left|alone}' })
  },
  file_names: usual(({ add, save, sampler, set, decoded }) => {
    sampler.title = 'main'
    set(save, 'filename_prefix', '%KSampler.seed%_%main.cfg%_%Nobody.x%_%width%_%main.none%_%one%')
    add('SaveImage', { filename_prefix: '%CheckpointLoaderSimple.ckpt_name%/%VAE Decode.a%' }, { images: [decoded, 0] })
  }),
  uploads: ({ add }) => {
    add('LoadImage', { image: 'dog.png' })
    add('LoadImageMask', { image: 'cat.png', channel: 'red' })
    add('ProbeFolder', { image: 'q.png' })
  },
  previews: ({ add }) => {
    const text = add('StringConcatenate', { string_a: 'a' })
    add('PreviewAny', {}, { source: [text, 0] }).title = 'shown'
  },
  subgraph: usual(({ wrap, good, bad }) => wrap(good, bad)),
  subgraph_in_a_subgraph: usual(({ wrap, good, bad }) => wrap(wrap(good).node, bad)),
  subgraph_of_a_subgraph: usual(({ wrap, inside, good, bad, sampler, latent }) => {
    const made = wrap(good, bad, sampler, latent)
    wrap(inside(made, sampler), inside(made, latent))
  }),
  subgraph_with_fields: usual(({ wrap, show, set, sampler, latent }) => {
    const made = wrap(sampler, latent)
    show(made, sampler, 'steps')
    show(made, latent, 'height')
    show(made, sampler, 'sampler_name')
    set(made.node, 'steps', 17)
    set(made.node, 'height', 320)
    set(made.node, 'sampler_name', 'ddim')
  }),
  subgraph_twice: usual(({ graph, link, wrap, show, set, model, good, sampler }) => {
    const made = wrap(good)
    show(made, good, 'text')
    set(made.node, 'text', 'first')
    const copy = made.node.clone()
    graph.add(copy)
    set(copy, 'text', 'second')
    link(model, 1, copy, 'clip')
    link(copy, 0, sampler, 'negative')
  }),
  subgraph_field_linked: usual(({ add, link, wrap, show, sampler }) => {
    const made = wrap(sampler)
    show(made, sampler, 'steps')
    link(add('PrimitiveInt', { value: 21 }), 0, made.node, 'steps')
  }),
  subgraph_field_from_a_primitive: usual(({ add, link, set, wrap, show, sampler }) => {
    const made = wrap(sampler)
    show(made, sampler, 'cfg')
    const number = add('PrimitiveNode')
    link(number, 0, made.node, 'cfg')
    set(number, 'value', 3.14)
  }),
  subgraph_shown_through_two: usual(({ wrap, show, set, good, bad }) => {
    const inner = wrap(good)
    show(inner, good, 'text')
    const outer = wrap(inner.node, bad)
    show(outer, inner.node, 'text')
    set(outer.node, 'text', 'from far out')
  }),
  subgraph_proxies: usual(({ wrap, show, set, sampler, latent }) => {
    const made = wrap(sampler, latent)
    show(made, latent, 'width')
    made.node.properties.proxyWidgets = [[String(sampler.id), 'cfg'], ['-1', 'width'], [String(latent.id), 'height']]
    set(made.node, 'width', 448)
  }),
  subgraph_field_covered: usual(({ wrap, show, set, good, bad }) => {
    const made = wrap(good, bad)
    show(made, good, 'text')
    set(made.node, 'text', 'covered by a field of the same name')
    made.node.properties.proxyWidgets = [[String(bad.id), 'text']]
  }),
  subgraph_bypassed: usual(({ wrap, sampler }) => {
    sampler.mode = 4
    wrap(sampler).node.mode = 4
  }),
  subgraph_muted_inside: usual(({ wrap, good, bad }) => { bad.mode = 2; wrap(good, bad) }),
  subgraph_bypassed_inside: usual(({ add, link, wrap, model, sampler }) => {
    const lora = add('LoraLoaderModelOnly', {}, { model: [model, 0] })
    link(lora, 0, sampler, 'model')
    lora.mode = 4
    wrap(lora, sampler)
  }),
  subgraph_with_reroutes: usual(({ add, link, wrap, model, good, bad }) => {
    const clip = add('Reroute', {}, { '': [model, 1] })
    link(clip, 0, good, 'clip')
    link(clip, 0, bad, 'clip')
    wrap(clip, good, bad)
  }),
  subgraph_unlinked: usual(({ add, wrap }) => wrap(add('EmptyLatentImage'), add('SaveImage')))
}

const node = (id, type, rest = {}) => ({
  id, type, pos: [0, 0], size: [200, 100], flags: {}, order: id, mode: 0, inputs: [], outputs: [], properties: {}, ...rest
})
const workflow = (nodes, links = [], rest = {}) => ({
  last_node_id: 99, last_link_id: 99, nodes, links, groups: [], config: {}, extra: {}, version: 0.4, ...rest
})
const out = (type, ...links) => [{ name: type, type, links }]

export const written = {
  links_as_objects: {
    id: '4f1b0a6e-3d0c-4c39-9a55-000000000001', revision: 0, version: 1,
    state: { lastNodeId: 2, lastLinkId: 1, lastGroupId: 0, lastRerouteId: 0 },
    nodes: [
      node(1, 'LoadImage', { outputs: out('IMAGE', 1), widgets_values: ['cat.png', 'image'] }),
      node(2, 'PreviewImage', { inputs: [{ name: 'images', type: 'IMAGE', link: 1 }] })
    ],
    links: [{ id: 1, origin_id: 1, origin_slot: 0, target_id: 2, target_slot: 0, type: 'IMAGE' }]
  },
  // Before 1.16, an input that stood for a widget came behind the others, as it was converted.
  converted_long_ago: workflow([
    node(1, 'PrimitiveInt', { outputs: out('INT', 1), widgets_values: [15, 'fixed'] }),
    node(2, 'KSampler', {
      inputs: [
        { name: 'model', type: 'MODEL', link: null }, { name: 'positive', type: 'CONDITIONING', link: null },
        { name: 'negative', type: 'CONDITIONING', link: null }, { name: 'latent_image', type: 'LATENT', link: null },
        { name: 'steps', type: 'INT', link: 1, widget: { name: 'steps' } }
      ],
      outputs: out('LATENT'), widgets_values: [7, 'randomize', 20, 8, 'euler', 'normal', 1]
    })
  ], [[1, 1, 0, 2, 4, 'INT']]),
  no_values_at_all: workflow([node(1, 'KSampler'), node(2, 'ProbeOrder'), node(3, 'ProbeControls', { widgets_values: null }), node(4, 'ProbeLists')]),
  fewer_values: workflow([node(1, 'KSampler', { widgets_values: [5, 'fixed', 11] })]),
  values_left_behind: workflow([
    node(1, 'SaveImage', { widgets_values: ['pre', ''] }),
    node(2, 'LoadImage', { widgets_values: ['dog.png', 'image', null] }),
    node(3, 'VAEDecode', { widgets_values: ['fixed'] })
  ]),
  forced_since: workflow([
    node(1, 'ProbeForced', { widgets_values: [4, 99, 'saved long ago'] }),
    node(2, 'ProbeForced', { widgets_values: [5, 'saved now'] })
  ]),
  renamed_classes: workflow([
    node(1, 'T2IAdapterLoader', { widgets_values: ['canny.safetensors'] }),
    node(2, 'ConditioningAverage ', { widgets_values: [0.5] })
  ]),
  unknown_and_silent: workflow([
    node(1, 'LoadImage', { outputs: out('IMAGE', 1), widgets_values: ['cat.png', 'image'] }),
    node(2, 'SomebodysNode', {
      mode: 4, inputs: [{ name: 'x', type: 'MASK', link: null }, { name: 'image', type: 'IMAGE', link: 1 }],
      outputs: out('IMAGE', 2)
    }),
    node(3, 'PreviewImage', { inputs: [{ name: 'images', type: 'IMAGE', link: 2 }] }),
    node(4, 'AnothersNode', { mode: 2 })
  ], [[1, 1, 0, 2, 1, 'IMAGE'], [2, 2, 0, 3, 0, 'IMAGE']]),
  inputs_of_its_own: workflow([
    node(1, 'LoadImage', { outputs: out('IMAGE', 1), widgets_values: ['cat.png', 'image'] }),
    node(2, 'PreviewImage', {
      inputs: [
        { name: 'images', type: 'IMAGE', link: null }, { name: 'image_2', type: 'IMAGE', link: 1 },
        { name: 'old', type: 'INT', link: 2, widget: { name: 'old' } }
      ]
    }),
    node(3, 'PrimitiveInt', { outputs: out('INT', 2), widgets_values: [1, 'fixed'] })
  ], [[1, 1, 0, 2, 1, 'IMAGE'], [2, 3, 0, 2, 2, 'INT']]),
  ids_out_of_order: workflow([
    node(31, 'PreviewImage', { inputs: [{ name: 'images', type: 'IMAGE', link: 5 }] }),
    node(4, 'LoadImage', { title: '', outputs: out('IMAGE', 5), widgets_values: ['cat.png', 'image'] })
  ], [[5, 4, 0, 31, 0, 'IMAGE']])
}
