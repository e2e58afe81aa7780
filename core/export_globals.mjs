/**
 * Exports every mutable global of the core, so that a host can take and restore its whole state:
 * memory and globals together are all there is.
 */
import { Transform } from "assemblyscript/transform";

export default class ExportGlobals extends Transform {
  /** Called with Binaryen's module once the program is compiled and optimised. */
  afterCompile(module) {
    const count = module.getNumGlobals();
    for (let i = 0; i < count; i++) {
      const { name, mutable } = this.binaryen.getGlobalInfo(
        module.getGlobalByIndex(i),
      );
      if (mutable) module.addGlobalExport(name, `global ${name}`);
    }
  }
}
