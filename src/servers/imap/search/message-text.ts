export const headerFieldHas = (..._: unknown[]) => false
export const bodyHas = (..._: unknown[]) => false
export const messageHas = (..._: unknown[]) => false
