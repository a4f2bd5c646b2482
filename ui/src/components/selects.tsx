/**
 * Boxes whose options are made when the mouse or the focus first comes near, and kept from then on: a page does not wait
 * for hundreds of options that nobody has asked for.
 */
import {
  MultiSelect as EagerMultiSelect,
  Select as EagerSelect,
  type MultiSelectProps,
  type SelectProps,
} from "@mantine/core";
import { useEffect, useState } from "react";

/** What to spread over the box itself, and what over the `Combobox` that holds the options. */
export function useLazyOptions() {
  const [isNear, setNear] = useState(false);
  const [, drawAgain] = useState(false);
  useEffect(() => {
    // The box names its list, which it knows only once that is there: after the effects of the portal that it is in.
    const timer = isNear ? setTimeout(() => drawAgain(true)) : undefined;
    return () => clearTimeout(timer);
  }, [isNear]);
  const come = () => setNear(true);
  return { box: { onPointerEnter: come, onFocus: come }, options: { keepMounted: isNear } };
}

export function Select(props: SelectProps) {
  const { box, options } = useLazyOptions();
  return <EagerSelect {...box} comboboxProps={options} {...props} />;
}

export function MultiSelect(props: MultiSelectProps) {
  const { box, options } = useLazyOptions();
  return <EagerMultiSelect {...box} comboboxProps={options} {...props} />;
}
