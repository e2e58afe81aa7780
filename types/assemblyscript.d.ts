/** AssemblyScript's number types, for the one file that both compilers read: `core/layout.ts`. */
declare type u32 = number;
