// Records the pairs in this folder with the real editor; see README.md for how to run it.
import fs from 'node:fs'
import { chromium } from 'playwright-core'
import { drawn, written } from './cases.mjs'

const [address = 'http://127.0.0.1:8188', only] = process.argv.slice(2)
const folder = new URL('.', import.meta.url).pathname
const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]
const empty = {
  version: 0.4, last_node_id: 0, last_link_id: 0, nodes: [], links: [], groups: [], config: {}, extra: {}
}

/** Opens the editor and waits until it knows all node classes. */
async function open() {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags })
  const page = await browser.newPage()
  await page.goto(address)
  await page.waitForFunction(
    () => window.app?.graph && window.LiteGraph?.registered_node_types?.ProbeAny, null, { timeout: 60000 })
  await page.waitForTimeout(2000)
  return { browser, page }
}

/** Draws a workflow in the editor and returns it as the editor saves it. */
const draw = (page, source) => page.evaluate(async ([source, empty]) => {
  const quiet = { showMissingNodesDialog: false, showMissingModelsDialog: false }
  await app.loadGraphData(empty, true, false, null, quiet)
  const graph = app.graph
  const tools = {
    graph,
    /** Adds a node, sets widgets by name, and links inputs: `{name: [node, output]}`. */
    add(type, widgets = {}, links = {}, into = graph) {
      const node = LiteGraph.createNode(type)
      into.add(node)
      for (const [name, value] of Object.entries(widgets)) tools.set(node, name, value)
      for (const [name, [from, output]] of Object.entries(links)) tools.link(from, output, node, name)
      return node
    },
    set(node, name, value) {
      // A primitive node names its one widget after what it was linked to first.
      const widget = node.type === 'PrimitiveNode' ? node.widgets[0] : node.widgets.find(w => w.name === name)
      if (!widget) throw new Error(`${node.type} has no widget ${name}`)
      widget.value = value
    },
    link(from, output, to, input) {
      const slot = typeof input === 'number' ? input : to.inputs.findIndex(i => i.name === input)
      if (!from.connect(output, to, slot)) throw new Error(`${from.type} does not fit ${to.type}.${input}`)
    },
    /** Turns nodes into a subgraph and returns the node that stands for it. */
    wrap: (...nodes) => nodes[0].graph.convertToSubgraph(new Set(nodes)),
    /** Shows a widget from inside of a subgraph as an input with a field of its own. */
    show(made, node, name) {
      const inner = tools.inside(made, node), slot = inner.inputs.find(i => i.name === name)
      made.subgraph.addInput(name, String(slot.type)).connect(slot, inner)
    },
    /** What became of a node that was turned into a part of a subgraph. */
    inside: (made, node) => made.subgraph.getNodeById(node.id)
  }
  await (0, eval)(`(${source})`)(tools)
  return JSON.parse(JSON.stringify(graph.serialize()))
}, [String(source), empty])

/** Loads a workflow as the editor does with a file, and returns what Export (API) gives. */
const exported = (page, editor) => page.evaluate(async editor => {
  const quiet = { showMissingNodesDialog: false, showMissingModelsDialog: false }
  await app.loadGraphData(editor, true, false, null, quiet)
  await new Promise(done => setTimeout(done, 100))
  return JSON.parse(JSON.stringify((await app.graphToPrompt()).output))
}, editor)

/** Leaves of the classes only what the conversion reads. */
function classesOf(definitions, used) {
  const spec = ([type, { tooltip, ...options } = {}]) => [type, options]
  const section = inputs => Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, spec(v)]))
  return Object.fromEntries([...used].sort().filter(name => definitions[name]).map(name => {
    const { input: { required = {}, optional = {} }, input_order, output, display_name } = definitions[name]
    return [name, { input: { required: section(required), optional: section(optional) }, input_order, output, display_name }]
  }))
}

const { browser, page } = await open()
const used = new Set()
const cases = { ...drawn, ...written }
for (const [name, source] of Object.entries(cases)) {
  if (only && only !== name) continue
  const editor = name in written ? source : await draw(page, source)
  const api = await exported(page, structuredClone(editor))
  const lists = [editor, ...(editor.definitions?.subgraphs ?? [])].flatMap(drawing => drawing.nodes)
  for (const node of lists) used.add(node.type)
  for (const node of Object.values(api)) used.add(node.class_type)
  fs.writeFileSync(`${folder}${name}.json`, JSON.stringify({ editor, api }) + '\n')
}
if (!only) {
  const definitions = await (await fetch(`${address}/object_info`)).json()
  fs.writeFileSync(`${folder}object_info.json`, JSON.stringify(classesOf(definitions, used)) + '\n')
}
await browser.close()
